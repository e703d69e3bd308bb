"""The command line: verbs only. Results go to stdout, logs and progress to stderr.

Heavy imports wait inside the verbs, so that ``video3d --help`` answers at once. Input that cannot be used ends in one
line on stderr and exit code 2.
"""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from video3d._version import __version__
from video3d.cli_analyze import analyze, schema
from video3d.cli_convert import convert
from video3d.cli_data import data
from video3d.cli_depth import depth_eval
from video3d.cli_eval import ablate, evaluate
from video3d.cli_geometry import Depth, Frames, Ignore, Json, Source, check_frames, geometry, ignored, reconstruct
from video3d.cli_text import answer_json, answer_text, dump, grounding_json, grounding_text, table
from video3d.cli_train import train
from video3d.cli_view import view
from video3d.cli_wishes import Masks, Sees
from video3d.types import InputError
from video3d.types.depth import DEPTH_OF_VIEWS
from video3d.types.detector import EMBEDDED

app = App(
    name="video3d",
    version=__version__,
    help="Understand a video in 3D: ask it questions, get its geometry. Works offline, on a laptop.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

app.command(analyze)
app.command(schema)
app.command(view)
app.command(data)
app.command(convert)
app.command(geometry)
app.command(reconstruct)
app.command(depth_eval)
app.command(evaluate)
app.command(ablate)
app.command(train)

Model = Annotated[str, Parameter(name="--model", help="nano, a model folder, or a Hugging Face id.")]


@app.command
def ask(
    source: Source,
    question: Annotated[str, Parameter(help="The question, in words.")],
    *,
    json_: Json = False,
    frames: Frames = 32,
    depth: Depth = DEPTH_OF_VIEWS,
    model: Model = "nano",
    detector: Sees = EMBEDDED,
    segmenter: Masks = "none",
    ignore: Ignore = "",
    point: Annotated[
        str | None, Parameter(name="--point", help='FRAME,X,Y: what "this" in the question means.')
    ] = None,
    box: Annotated[str | None, Parameter(name="--box", help="FRAME,X0,Y0,X1,Y1: the same with a box.")] = None,
) -> None:
    """Answer a question about a video or recording, or about a place that is pointed at in a frame of it."""
    from video3d.answers.pointed import read_pointed
    from video3d.pipeline import load

    check_frames(frames)
    if point is not None and box is not None:
        raise InputError("--point and --box", expected="one of them", got="both")
    pointed = point if point is not None else box
    at = None if pointed is None else read_pointed(pointed, box=box is not None)
    engine = load(model, depth=depth, detector=detector, segmenter=segmenter)
    answer = engine.ask(source, question, num_frames=frames, ignore=ignored(ignore), at=at)
    print(dump(answer_json(answer)) if json_ else answer_text(answer))


@app.command
def info(source: Source, *, json_: Json = False) -> None:
    """Print what a video or recording holds: frames, times, size, intrinsics, poses, depth, and what is missing."""
    from video3d.video import describe, open_recording

    found = describe(open_recording(source))
    print(dump(found) if json_ else table(found))


@app.command
def ground(
    source: Source,
    phrase: Annotated[str, Parameter(help='What to find: "the chair by the window".')],
    *,
    json_: Json = False,
    frames: Frames = 32,
    depth: Depth = DEPTH_OF_VIEWS,
    model: Model = "nano",
    detector: Sees = EMBEDDED,
    segmenter: Masks = "none",
    ignore: Ignore = "",
    threshold: Annotated[float, Parameter(help="Take objects until their shares sum up to this, 0 to 1.")] = 0.4,
) -> None:
    """Find an object by words: its box in the world and a score, or an explicit nothing."""
    from video3d.pipeline import load

    check_frames(frames)
    if not 0 < threshold <= 1:
        raise InputError("--threshold", expected="a share above 0, up to 1", got=threshold)
    engine = load(model, depth=depth, detector=detector, segmenter=segmenter)
    found = engine.ground(source, phrase, num_frames=frames, ignore=ignored(ignore), threshold=threshold)
    print(dump(grounding_json(found)) if json_ else grounding_text(found))


@app.command
def doctor(*, json_: Json = False) -> None:
    """Say what this machine has and lacks: decoder, device, weights, viewer, optional parts."""
    from video3d.doctor import examine

    checks = examine()
    ok = all(check["ok"] or not check["required"] for check in checks)
    if json_:
        print(dump({"checks": checks, "ok": ok}))
    for check in [] if json_ else checks:
        mark = "ok" if check["ok"] else ("MISSING" if check["required"] else "absent")
        print(f"{mark:8} {check['name']:22} {check['found']}" + (f"  -> {check['do']}" if check["do"] else ""))
    if not ok:
        sys.exit(1)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command line and exits: 0 well, 2 input that cannot be used, 1 a fault of ours, 130 interrupted."""
    # Threads that wait must sleep, not spin: where another program wants a core too, spinning made a word of the model
    # five times slower (0.65 against 0.12 s on two cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("SIGTERM", "SIGHUP"):  # leave as by any other exit, with what is temporary cleaned up
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _frame: sys.exit(128 + number))
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Runs one command line; returns the exit code."""
    try:
        app(list(argv), exit_on_error=False, print_error=False)
    except InputError as error:
        return _complain(str(error), 2)
    except CycloptsError as error:
        error.console = None
        return _complain(" ".join(str(error).split()) + "; see video3d --help", 2)
    except MemoryError:
        return _complain("not enough memory; give fewer --frames", 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except BrokenPipeError:  # the reader went away (| head): not an error of ours, and nothing to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return _complain(f"the result cannot be written: {error.strerror}", 2)
        if os.environ.get("VIDEO3D_DEBUG"):
            raise
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return _complain(f"a fault in video3d, please report it ({text[:300]}); VIDEO3D_DEBUG=1 shows where", 1)
    return 0


def _complain(text: str, code: int) -> int:
    print(f"video3d: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
