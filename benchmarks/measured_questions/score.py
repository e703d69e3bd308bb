"""Asks every measured question through the public path and compares with the truth from the raw files.

    python benchmarks/measured_questions/score.py DATA_DIR
    python benchmarks/measured_questions/score.py DATA_DIR --json --questions questions_held_out.jsonl

A row of the questions:
    {"id": "k01", "recording": "seven_scenes_kitchen", "question": "How far away is the mug at pixel (382, 183) in frame 0?",
     "ask": ["pixel_range", 0, 382, 183], "tolerance_rel": 0.03, "tolerance_abs": 0.02, "truth": 1.7821}

An answer is right if its source is ``measurement`` and
- for a number: the answer's first quantity is the truth within the larger of the two tolerances, and the text prints a
  number that is (turns and tilts by their size, with the side in words);
- for one of several points: the first quantity is the point's number, and the text names that point before the others;
- for a word (left, up, horizontal, ...): the text holds the word, and outside brackets not its opposite.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
OPPOSITES = {
    "left": "right", "right": "left", "up": "down", "down": "up", "forward": "back", "back": "forward",
    "horizontal": "vertical", "vertical": "horizontal",
}  # fmt: skip
CHINESE = {"left": "向左", "right": "向右", "up": "向上", "down": "向下", "forward": "向前", "back": "向后"}
CHOICES = ("range_order", "range_order_far", "height_order", "height_order_low")
SIGNED = {"turn": ("left", "right"), "tilt": ("up", "down")}


def judge(row: dict, answer) -> str:
    """Nothing if the answer is right, else what is wrong with it."""
    if answer.source != "measurement":
        return f"source is {answer.source}"
    truth, name = row["truth"], row["ask"][0]
    text = answer.text
    for word, chinese in CHINESE.items():
        text = text.replace(chinese, f" {word} ")
    if isinstance(truth, str):
        said = re.sub(r"[(（][^)）]*[)）]", "", text.lower())
        if not re.search(rf"\b{truth}\b", said):
            return f"expected the word {truth}"
        return f"says {OPPOSITES[truth]} too" if re.search(rf"\b{OPPOSITES[truth]}\b", said) else ""
    if not answer.quantities:
        return "no quantity"
    value = answer.quantities[0].value
    if name in CHOICES:
        if round(value) != truth:
            return f"expected point {truth}, got {value:g}"
        spots = [text.find(f"({x}, {y})") for x, y in row["ask"][2:]]
        first = min(s for s in spots if s >= 0) if max(spots) >= 0 else -1
        return "" if spots[truth - 1] == first >= 0 else "the text names another point first"
    allowed = max(row["tolerance_abs"], row["tolerance_rel"] * abs(truth))
    if abs(value - truth) > allowed + 1e-9:
        return f"expected {truth:g} within {allowed:.2g}, got {value:.4g}"
    printed = [float(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text)]
    size = abs(truth) if name in SIGNED else truth
    if not any(abs(n - size) <= allowed + 0.006 * max(1.0, size) for n in printed):
        return "the text does not print the number"
    if name in SIGNED and abs(truth) > allowed:
        side = SIGNED[name][truth < 0]
        return "" if re.search(rf"\b{side}\b", text) else f"expected {side}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--questions", default="questions.jsonl", help="file beside this one")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import video3d

    rows = [json.loads(line) for line in (HERE / options.questions).read_text().splitlines()]
    engine = video3d.load("nano")
    started = time.perf_counter()
    results = []
    for row in rows:
        answer = engine.ask(options.data_dir / row["recording"], row["question"], num_frames=options.frames)
        wrong = judge(row, answer)
        results.append({"id": row["id"], "right": not wrong, "wrong": wrong, "answer": answer.text} | row)
        if wrong and not options.json:
            print(f"{row['id']}  {row['question']}\n     {wrong}\n     {answer.text}")
    right = sum(r["right"] for r in results)
    if options.json:
        print(json.dumps({"right": right, "total": len(rows), "rows": results}, ensure_ascii=False, indent=1))
    else:
        print(f"{options.questions}: {right} of {len(rows)} right ({right / len(rows):.1%}) "
              f"in {time.perf_counter() - started:.0f} s")  # fmt: skip
    return 0 if right >= 0.9 * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
