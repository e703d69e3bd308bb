"""What of a clip's geometry can be trusted, in plain words: from its status, notes and stated uncertainty alone."""

from collections.abc import Sequence

import numpy as np

from video3d.types import PosedClip

_MEANS = {
    "measured": "the recording has it",
    "estimated": "computed here from the pixels or from other quantities",
    "unknown": "nobody knows it, and nothing below rests on it",
}
_QUANTITIES = ("depth", "intrinsics", "poses", "scale", "gravity")


def status_rows(clip: PosedClip) -> list[tuple[str, str, str]]:
    """Quantity, status, and what is said of it: the notes that begin with its name, else what the status means."""
    rows = []
    for name in _QUANTITIES:
        status = getattr(clip.status, name)
        said = [
            note.split(":", 1)[1].strip() for note in clip.status.notes if note.split(":", 1)[0] == name and ":" in note
        ]
        rows.append((name, status, "; ".join(said) or _MEANS[status]))
    return rows


def other_notes(notes: Sequence[str]) -> list[str]:
    """The notes that belong to no single quantity."""
    return [note for note in notes if note.split(":", 1)[0] not in _QUANTITIES]


def verdicts(clip: PosedClip) -> list[str]:
    """Sentences on what holds and what does not."""
    status, said = clip.status, []
    if clip.world.metric:
        who = (
            "measured" if status.scale == "measured" else "estimated: every length shares the error of that one factor"
        )
        said.append(f"Lengths are metres; the scale is {who}.")
    else:
        said.append(
            "The scale is unknown: lengths are right up to one common factor and written x. Ratios hold, metres do not."
        )
    if clip.world.gravity_aligned:
        said.append(f"+z points up ({status.gravity}).")
    else:
        said.append("Which way is up is unknown: what is drawn as up is up in the first camera's picture.")
    said.append(_frames(clip))
    said.append(_depth(clip))
    if status.intrinsics == "unknown":
        said.append("The lens is unknown: depth along the viewing axis may hold, but no pixel can be placed in space.")
    moved = _moved(clip)
    if moved is not None:
        said.append(moved)
    return said


def _frames(clip: PosedClip) -> str:
    total, main = clip.num_frames, int((clip.piece == 0).sum())
    none, others = int((clip.piece < 0).sum()), int((clip.piece > 0).sum())
    if not main:
        return (
            f"None of {total} frame{'s' * (total != 1)} has a pose: there is no path, and no cloud of several frames."
        )
    text = f"{main} of {total} frames have a place in the world ({clip.status.poses})"
    if others:
        text += (
            f"; {others} are in {int(clip.piece.max())} further pieces that share no frame with it and are not drawn"
        )
    if none:
        text += f"; {none} have no pose"
    return text + "."


def _depth(clip: PosedClip) -> str:
    known = float(np.isfinite(clip.depth_m).mean())
    if clip.status.depth == "unknown" or not known:
        return "Depth is unknown: name a network (--depth) to have it estimated."
    text = f"Depth is {clip.status.depth}, known at {known:.0%} of the pixels" if known >= 0.01 else (
        f"Depth is {clip.status.depth}, known at {known:.2%} of the pixels: points, not surfaces"
    )  # fmt: skip
    quantiles = sigma_quantiles(clip)
    if quantiles is None:
        return text + ("." if clip.status.depth == "measured" else "; how sure it is is not stated.")
    half, most = quantiles
    return (
        text
        + f". By its own account half of the pixels are good to about {half:.0%} or better, nine of ten to {most:.0%}."
    )


def sigma_quantiles(clip: PosedClip) -> tuple[float, float] | None:
    """Median and 90th percentile of the stated relative uncertainty; None where none is stated."""
    if clip.depth_log_sigma is None:
        return None
    known = clip.depth_log_sigma[np.isfinite(clip.depth_log_sigma)]
    return None if not known.size else (float(np.quantile(known, 0.5)), float(np.quantile(known, 0.9)))


def _moved(clip: PosedClip) -> str | None:
    poses = clip.world_from_camera[(clip.piece == 0) & np.isfinite(clip.world_from_camera).all(axis=(1, 2))]
    if len(poses) < 2:
        return None
    unit = "m" if clip.world.metric else "x"
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    if steps.sum() < 1e-6:
        return "The camera stands still in the poses given: depth of each frame stands alone."
    return f"Between the frames read the camera moved {steps.sum():.2f} {unit} along its path."
