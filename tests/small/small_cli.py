"""The command line as tests call it."""

from video3d.cli import run


def refused(argv, capsys) -> str:
    """The one line that bad input gets: exit code 2, nothing among the results, no traceback."""
    capsys.readouterr()
    assert run([str(one) for one in argv]) == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 1 and lines[0].startswith("video3d: ") and len(lines[0]) < 500
    return lines[0]
