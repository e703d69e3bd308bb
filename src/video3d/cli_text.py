"""How verbs print: a table for people, one JSON object for programs."""

import json
from typing import Any

from video3d.types import Answer, Detection, GeometryStatus
from video3d.types.grounding import Grounding


def table(values: dict[str, Any], indent: int = 0) -> str:
    """Names and values in two columns, for people."""
    lines: list[str] = []
    for key, value in values.items():
        pad = " " * indent
        if isinstance(value, dict):
            lines += [f"{pad}{key}", table(value, indent + 2)]
        elif isinstance(value, list | tuple) and any(isinstance(v, str) and len(v) > 24 for v in value):
            lines += [f"{pad}{key}", *(f"{pad}  - {v}" for v in value)]
        else:
            text = ", ".join(map(_cell, value)) if isinstance(value, list | tuple) else _cell(value)
            lines.append(f"{pad}{key:<{max(2, 22 - indent)}} {text}")
    return "\n".join(line for line in lines if line)


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def dump(value: Any) -> str:
    """One JSON object, for programs."""
    return json.dumps(value, indent=1, allow_nan=False)


def geometry_json(status: GeometryStatus) -> dict[str, Any]:
    """What of the geometry was measured, estimated or is unknown."""
    quantities = ("depth", "intrinsics", "poses", "scale", "gravity")
    return {name: getattr(status, name) for name in quantities} | {"notes": list(status.notes)}


def answer_json(answer: Answer) -> dict[str, Any]:
    """The published shape of ``ask --json``."""
    return {
        "answer": answer.text,
        "source": answer.source,
        "kind": answer.kind,
        "quantities": [{"name": q.name, "value": q.value, "unit": q.unit} for q in answer.quantities],
        "evidence": {
            "frames": list(answer.evidence.frames),
            "points_px": [{"frame": p.frame, "x": p.x_px, "y": p.y_px} for p in answer.evidence.points_px],
            "points_world": [list(p) for p in answer.evidence.points_world],
        },
        "geometry": geometry_json(answer.geometry),
        "timings_s": {name: round(value, 3) for name, value in answer.timings_s.items()},
    }


def answer_text(answer: Answer) -> str:
    """An answer for a person to read."""
    shape = answer_json(answer)
    says = {"measurement": "measured from the scene", "model": "said by the language model", "unknown": "not known"}
    says |= {"model": "found by the model, estimated"} if answer.kind.startswith(("object_", "concluded")) else {}
    geometry = ", ".join(f"{k} {v}" for k, v in shape["geometry"].items() if k != "notes")
    frames = ", ".join(map(str, answer.evidence.frames[:12])) + (", ..." if len(answer.evidence.frames) > 12 else "")
    lines = [answer.text, "", f"  source    {says[answer.source]}", f"  geometry  {geometry}"]
    lines += [f"  note      {note}" for note in answer.geometry.notes]
    lines += [f"  frames    {frames}"] if frames else []
    lines += ["  time      " + ", ".join(f"{k} {v:.1f} s" for k, v in answer.timings_s.items())]
    return "\n".join(lines)


def grounding_json(found: Grounding) -> dict[str, Any]:
    """The published shape of ``ground --json``: boxes by centre, full extents and rotation, in the world's frame."""
    return {
        "phrase": found.phrase,
        "found": [_box_json(one) for one in found.found],
        "nothing": not found.found,
        "why_nothing": found.why_nothing or None,
        "none_share": found.none_share,
        "proposals": [_box_json(one) for one in found.proposals],
        "unit": "m" if found.metric else "x",
        "geometry": geometry_json(found.geometry),
    }


def _box_json(one: Detection) -> dict[str, Any]:
    box = one.box
    return {
        "label": one.label,
        "score": round(one.score, 4),
        "center": [round(float(v), 4) for v in box.center_world],
        "size": [round(float(v), 4) for v in box.size_m],
        "world_from_box": [[round(float(v), 6) for v in row] for row in box.world_from_box],
    }


def grounding_text(found: Grounding) -> str:
    """Boxes for a person to read."""
    unit = "m" if found.metric else "x"
    if not found.found:
        return f"nothing: {found.why_nothing}"
    lines = []
    for one in found.found:
        center, size = (", ".join(f"{v:.2f}" for v in values) for values in (one.box.center_world, one.box.size_m))
        lines.append(f"{one.label}: centre ({center}) {unit}, size ({size}) {unit}, score {one.score:.2f}")
    return "\n".join(lines)
