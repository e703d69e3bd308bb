"""A recording understood, and what a model keeps of it between questions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts, scene_facts
from video3d.answers.question import MetricQuestion, required_frames
from video3d.types import GeometryStatus, PosedClip, Recording, World
from video3d.video import open_recording, read_clip

if TYPE_CHECKING:
    from video3d.estimate.camera_estimate import CameraEstimate
    from video3d.model.scene_memory import SceneCache
    from video3d.types import SceneTokens


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A recording understood: its frames with complete geometry, gravity-aligned, and the facts measured from them.

    Attributes:
        recording: what was opened, after ``ignore``.
        clip: the frames, at the recording's own size.
        facts: depth, camera path, room, surfaces.
        camera: what structure from motion found, None where it did not run; kept so that further frames need no new run.
        timings_s: wall time of every step.
    """

    recording: Recording
    clip: PosedClip
    facts: SceneFacts
    camera: "CameraEstimate | None"
    timings_s: dict[str, float]

    def report(self) -> dict[str, Any]:
        """The scene in plain values, as ``report.json`` has it."""
        clip, status = self.clip, self.clip.status
        quantities = ("depth", "intrinsics", "poses", "scale", "gravity")
        return {
            "source": str(self.recording.source),
            "format": self.recording.format,
            "geometry": {name: getattr(status, name) for name in quantities} | {"notes": list(status.notes)},
            "world": {
                "metric": clip.world.metric,
                "gravity_aligned": clip.world.gravity_aligned,
                "origin": clip.world.origin,
            },
            "num_frames": clip.num_frames,
            "num_posed": int((clip.piece >= 0).sum()),
            "num_pieces": int(clip.piece.max() + 1),
            "facts": list(self.facts.lines()),
            "timings_s": {name: round(value, 3) for name, value in self.timings_s.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptScene:
    """A scene as a model has it in mind.

    Attributes:
        scene: what was read.
        tokens: it encoded.
        findings: what the reasoning module believes of it, in sentences; () where it is untrained.
        cache: its tokens, facts and findings as the language model has read them.
    """

    scene: Scene
    tokens: "SceneTokens"
    findings: tuple[str, ...]
    cache: "SceneCache"


def frames_of(question: MetricQuestion | None, recording: Recording) -> tuple[int, ...]:
    """The frames that a question names."""
    return () if question is None else required_frames(question, recording.num_frames, recording.time_s)


def source_identity(video: str | Path | Recording) -> tuple[Any, ...]:
    """What tells whether a source is still the same: its path, and when it and what lies directly in it were changed."""
    if isinstance(video, Recording):
        return (id(video),)
    path = Path(video)
    try:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        stats = [one.stat() for one in (path, *inside)]
    except (OSError, ValueError):
        return (str(video),)
    return (str(path.absolute()), hash(tuple((one.st_mtime_ns, one.st_size) for one in stats)))


def opened(video: str | Path | Recording | Scene) -> Recording:
    """The recording of a path, or the one that is open already. Errors: ``InputError`` where it cannot be read."""
    if isinstance(video, Scene):
        return video.recording
    return video if isinstance(video, Recording) else open_recording(video)


def scene_of_recording(video: str | Path | Recording) -> Scene:
    """What a recording tells before any geometry: one frame, the times, everything else not looked at."""
    recording = opened(video)
    clip = read_clip(recording, 1)
    nothing = np.full((1, 4, 4), np.nan)
    posed = PosedClip(
        frame_index=clip.frame_index,
        time_s=clip.time_s,
        rgb=clip.rgb,
        depth_m=np.full((1, *clip.size_hw), np.nan, np.float32),
        k_px=nothing[:, :3, :3],
        world_from_camera=nothing,
        piece=np.array([-1]),
        world=World(),
        status=GeometryStatus(notes=("geometry: not looked at, the question does not need it",)),
    )
    facts = scene_facts(
        posed, all_time_s=recording.time_s, num_frames=recording.num_frames, sequence=recording.sequence
    )
    return Scene(recording=recording, clip=posed, facts=facts, camera=None, timings_s={})


def every_pose(clip: PosedClip, num_frames: int) -> Float64[np.ndarray, "n 4 4"] | None:
    """The poses of the clip's path at their places in the recording, NaN between."""
    if clip.path is None:
        return None
    poses = np.full((num_frames, 4, 4), np.nan)
    poses[clip.path.frame_index] = clip.path.world_from_camera
    return poses


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Adds the wall time of what is done inside, in seconds."""
    started = time.perf_counter()
    yield
    timings[name] = timings.get(name, 0.0) + time.perf_counter() - started
