"""How verbs print: a table for people, one JSON object for programs."""

import json
from typing import Any


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
