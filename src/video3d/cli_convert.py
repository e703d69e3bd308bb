"""``video3d convert``: weights of other formats to ours and back."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from video3d.cli_text import dump, table

convert = App(name="convert", help="Weights of other formats: the released Video-3D LLM checkpoints, and back.")


@convert.command
def official(
    checkpoint: Annotated[
        Path, Parameter(help="Folder of a released checkpoint; with --reverse, of a model made of it.")
    ],
    out: Annotated[Path, Parameter(help="Folder to make.")],
    *,
    reverse: Annotated[bool, Parameter(negative="", help="From our layout to the published one.")] = False,
    compat: Annotated[
        bool,
        Parameter(
            negative="", help="Have the model repeat the published code's faults: unknown depth taken for 0 m, ..."
        ),
    ] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object for programs.")] = False,
) -> None:
    """Convert released Video-3D LLM weights (safetensors); --reverse gives back the same bits."""
    from video3d.model.convert_official import convert_official, revert_official

    report = revert_official(checkpoint, out) if reverse else convert_official(checkpoint, out, compat=compat)
    shown = {
        "out": str(report.out), "tensors": report.num_tensors, "bytes": report.num_bytes, "files": report.num_files,
        "grounding": report.grounding, "scene_token_rows": report.added_rows,
    }  # fmt: skip
    print(dump(shown) if json_ else table(shown))
