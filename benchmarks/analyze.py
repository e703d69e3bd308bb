"""Which task queries get, and whether every result validates, on recordings and for hostile queries.

    python benchmarks/analyze.py                          # the queries of tests/answers/analyze_queries*.txt, as a table
    python benchmarks/analyze.py room DATA_DIR/fox ...    # besides, all tasks on recordings; --hostile: hostile queries too

A row of the queries: ``navigation | Take me from here to the fridge. | goal fridge``: the task that a person would choose.
"""

import argparse
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "answers"


def queries() -> None:
    from video3d.answers.task import understand

    for file in sorted(TESTS.glob("analyze_queries*.txt")):
        rows = [line.split("|") for line in file.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
        right = 0
        print(f"\n{file.name}\n\n| query | a person | got | on the words | names |\n|---|---|---|---|---|")
        for task, query, _ in rows:
            asked = understand(query.strip())
            right += asked.task == task.strip()
            names = ", ".join(f"{name} {value}" for name, value in asked.wishes.said().items())
            print(
                f"| {query.strip()} | {task.strip()} | {asked.task} | {asked.why.removeprefix('the query says ')} | {names} |"
            )
        print(f"\n{right} of {len(rows)}")


def recordings(sources: list[str], frames: int, *, hostile: bool) -> None:
    from pydantic import TypeAdapter

    import video3d
    from video3d.answers.results import TASKS, AnyResult

    sys.path.insert(0, str(TESTS))
    from test_task import HOSTILE

    adapter, engine = TypeAdapter(AnyResult), video3d.load()
    print("\n| recording | asked | task | s | result | validates |\n|---|---|---|---|---|---|")
    for source in sources:
        scene = engine.read(source, num_frames=frames)
        for task, query in [*((task, "") for task in TASKS), *((None, query) for query in HOSTILE if hostile)]:
            started = time.perf_counter()
            found = engine.analyze(scene, query, task=task)
            seconds = time.perf_counter() - started
            same = adapter.validate_json(found.model_dump_json()) == found
            counts = {name: len(value) for name, value in found if isinstance(value, tuple) and name != "frames"}
            said = ", ".join(f"{name} {count}" for name, count in counts.items())
            asked = repr(query[:30]).replace("|", "/") if task is None else "--task"
            print(f"| {Path(source).name} | {asked} | {found.task} | {seconds:.1f} | {said} | {same} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", help="recordings")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--hostile", action="store_true", help="ask each of them the tests' hostile queries too")
    arguments = parser.parse_args()
    queries()
    if arguments.sources:
        recordings(arguments.sources, arguments.frames, hostile=arguments.hostile)


if __name__ == "__main__":
    main()
