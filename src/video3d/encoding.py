"""A scene as the model has it in mind: looked at once, and read once. Steps 4 to 7 of the path; ``asking`` is what it is asked."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from video3d.answers.detected import ASKED, Detected, detect, joined
from video3d.answers.named import Finders
from video3d.answers.prompt import build_prompt
from video3d.finding import finders_in, things_in, what_moved
from video3d.geometry.fitted_box import SeenSurface, seen_surface
from video3d.geometry.lift import lift_patches
from video3d.geometry.moving_things import MovingThing
from video3d.geometry.rigid import scale_k
from video3d.scene import KeptScene, Scene
from video3d.types import Box3D, Detection, PatchPoints, PosedClip
from video3d.types.detector import Detector

if TYPE_CHECKING:
    from video3d.model.modeling_video3d import Video3DForConditionalGeneration
    from video3d.model.object_votes import FoundObject, ObjectVotes
    from video3d.model.processing_video3d import Video3DProcessor
    from video3d.types import SceneTokens
    from video3d.types.scene_tokens import FrameFeatures, SceneInputs

MAX_FINDINGS = 12
NUM_SCENES_KEPT = 4
MOST_ENLARGED = 2.5
"""Times the height of a recording's frames: objects were learned from windows of frames enlarged by as much, and no more."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedAt:
    """What the half of a model that looks makes of a scene.

    Attributes:
        scene: what was read.
        tokens: it encoded.
        votes: what patches say of the objects that they show; None where no object head is trained, or the world is not upright
            and in metres, which it was trained for.
        things: what the votes agree on, the surest first.
        moving: what moved, told by depth where that was measured.
        detected: what a detector sees besides; None where none was asked.
        objects: what was found, of both or by the reasoning module; () where nothing that finds objects is trained.
        findings: the reasoning module's in sentences. Votes have none: no language model has learned to read them yet.
        noted: what stands beside questions, by their words and the kind of notes; each is looked up once.
    """

    scene: Scene
    tokens: "SceneTokens"
    votes: "ObjectVotes | None" = None
    things: "tuple[FoundObject, ...]" = ()
    moving: tuple[MovingThing, ...] = ()
    detected: Detected | None = None
    objects: tuple[Detection, ...] = ()
    findings: tuple[str, ...] = ()
    noted: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


def look(
    model: "Video3DForConditionalGeneration",
    processor: "Video3DProcessor",
    scene: Scene,
    detector: Callable[[], Detector | None] = lambda: None,
) -> LookedAt:
    """Steps 4-7: pixels and geometry to the model's size, points of patches, one batch, scene tokens, objects.

    Args:
        model: that looks.
        processor: of it.
        scene: at which.
        detector: gives one that is asked too, where patches vote; None: none is.
    """
    import torch

    from video3d.model.scene_encoder import SCENE_KEYS
    from video3d.types.scene_tokens import SceneInputs

    small = processor.fit_clip(scene.clip)
    points = lift_patches(small, processor.patch_px)
    batch = processor(small, points, "a").to(model.device)
    by_patches = model.grounding is not None and model.config.pool_after_projector  # as the published weights do
    given = {name: batch[name] for name in SCENE_KEYS if name in batch}
    inputs = SceneInputs(**given)
    votes = features = None
    if can_vote(model, scene):
        with torch.no_grad():
            features = model.frame_features(inputs.pixel_values[0])
        votes = votes_of_scene(model, processor, scene, inputs, points, features)
    tokens = model.encode_scene(keep_patches=by_patches, features=features, **given)
    if votes is not None:
        moving = what_moved(scene.clip)
        things = things_in(votes, moving)
        asked = detector()
        detected = None if asked is None else detect(asked, ASKED, scene.clip, scene.facts.floor_z)
        found = _finders_of(votes, things, scene.clip, moving, detected).count(None)
        objects = tuple(Detection(box=place.box, label=label, score=place.score) for label, place in found)
        return LookedAt(
            scene=scene, tokens=tokens, votes=votes, things=things, moving=moving, detected=detected, objects=objects
        )
    if not model.config.reasoning_trained:
        return LookedAt(scene=scene, tokens=tokens)
    found = model.reason(tokens, "layout", metric=scene.clip.world.metric)
    return LookedAt(scene=scene, tokens=tokens, objects=found.detections, findings=found.lines()[:MAX_FINDINGS])


def can_vote(model: "Video3DForConditionalGeneration", scene: Scene) -> bool:
    """Whether patches can be asked for their objects: by a trained head, in the world that it was trained for."""
    return model.config.objects_trained and scene.clip.world.metric and scene.clip.world.gravity_aligned


def votes_of_scene(
    model: "Video3DForConditionalGeneration",
    processor: "Video3DProcessor",
    scene: Scene,
    inputs: "SceneInputs",
    points: PatchPoints,
    features: "FrameFeatures",
) -> "ObjectVotes":
    """What the patches of a scene say of their objects; those of larger frames, where the model looks at these too.

    Args:
        model: with a trained object head.
        processor: of the model.
        scene: upright and in metres.
        inputs: of it, a batch of one.
        points: of every patch: those of ``inputs`` may be of several patches together, as tokens are.
        features: of the frames, as ``frame_features`` gives them.
    """
    import torch

    time_s = torch.from_numpy(scene.clip.time_s).float().to(model.device)[None]
    inputs = replace(inputs, **_places(points, model), time_s=time_s)
    floor_z = _floor_z(scene, inputs.points_world)
    larger = _enlarged(model, processor, scene.clip, inputs)
    votes = model.object_votes(inputs, floor_z=floor_z, features=features, larger=larger)
    whole = processor.square_px is None  # else patches are of the middle of frames, and bodies of all of them
    return replace(votes, surface=_surface(scene, larger or inputs), grid_hw=votes.grid_hw if whole else None)


def _places(points: PatchPoints, model: "Video3DForConditionalGeneration") -> dict[str, Any]:
    """What ``SceneInputs`` has of the places of patches, a batch of one."""
    import torch

    return {
        "points_world": torch.from_numpy(points.points_world).to(model.device)[None],
        "valid_share": torch.from_numpy(points.valid_share).to(model.device)[None],
    }


def _enlarged(
    model: "Video3DForConditionalGeneration", processor: "Video3DProcessor", clip: PosedClip, inputs: "SceneInputs"
) -> "SceneInputs | None":
    """The frames of ``inputs`` as the object head sees them once more; None where it does not, or could only see them blurred."""
    import torch

    from video3d.model.processing_video3d import normalize_frames
    from video3d.types.scene_tokens import SceneInputs

    zoom, height = model.config.object_zoom, inputs.pixel_values.shape[-2]
    if zoom == 1 or zoom * height > MOST_ENLARGED * clip.size_hw[0]:
        return None
    large = processor.fit_clip(clip, zoom)
    pixels = normalize_frames(large.rgb, processor.image_mean, processor.image_std)
    return SceneInputs(
        pixel_values=pixels.to(model.device)[None],
        **_places(lift_patches(large, processor.patch_px), model),
        k_px=torch.from_numpy(large.k_px).float().to(model.device)[None],
        world_from_camera=inputs.world_from_camera,
    )


def _surface(scene: Scene, inputs: "SceneInputs") -> SeenSurface | None:
    """What depth shows of a scene, by the patches of ``inputs``."""
    assert inputs.points_world is not None and inputs.k_px is not None
    rows, columns = inputs.points_world.shape[2:4]
    height, width = inputs.pixel_values.shape[-2:]
    k_patch = scale_k(inputs.k_px[0].double().cpu().numpy(), (height, width), (rows, columns))
    return seen_surface(scene.clip, scene.facts.floor_z, k_patch, (rows, columns), _tops(scene))


def _tops(scene: Scene) -> tuple[Box3D, ...]:
    """Level surfaces that face up, as flat boxes with x along their longer side."""
    found = []
    for one in (surface for surface in scene.facts.surfaces if surface.kind == "top"):
        x, y = one.along
        turn = np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]])
        found.append(Box3D(center_world=np.array(one.center), size_m=np.array([one.length, one.width, 0.01]), world_from_box=turn))  # fmt: skip
    return tuple(found)


def finders(looked: LookedAt) -> Finders | None:
    """How questions find things by name in what patches vote for and a detector sees; None without votes."""
    if looked.votes is None:
        return None
    return _finders_of(looked.votes, looked.things, looked.scene.clip, looked.moving, looked.detected)


def _finders_of(
    votes: "ObjectVotes",
    things: "Sequence[FoundObject]",
    clip: PosedClip,
    moving: tuple[MovingThing, ...],
    detected: Detected | None,
) -> Finders:
    find = finders_in(votes, things, clip, moving)
    return find if detected is None else joined(find, detected)


def _floor_z(scene: Scene, points_world: Any) -> float:
    """Height of the floor; where none was seen, of the lowest places that were."""
    if scene.facts.floor_z is not None:
        return scene.facts.floor_z
    heights = points_world[..., 2]
    heights = heights[heights.isfinite()]
    return float(heights.quantile(0.02)) if len(heights) else 0.0


def keep(model: "Video3DForConditionalGeneration", processor: "Video3DProcessor", looked: LookedAt) -> KeptScene:
    """The scene as the language model has read it, with what all questions on it share: tokens, facts and findings."""
    num_tokens = int(looked.tokens.mask.sum())
    one, other = (  # the beginning of every prompt on this scene is what two different questions share
        processor(text=build_prompt(looked.scene.facts, text, looked.findings), num_scene_tokens=num_tokens)[
            "input_ids"
        ]
        for text in ("a", "1")
    )
    cache = model.prefill_scene(looked.tokens, common_prefix(one, other).to(model.device))
    return KeptScene(scene=looked.scene, tokens=looked.tokens, findings=looked.findings, cache=cache)


def common_prefix(ids: Any, other: Any) -> Any:
    """The ids (1, t) up to where the other row differs."""
    length = min(ids.shape[1], other.shape[1])
    same = (ids[0, :length] == other[0, :length]).cumprod(0)
    return ids[:, : int(same.sum())]


def remembered(store: "OrderedDict[int, _T]", scene: Scene, make: Callable[[], _T]) -> _T:
    """What is made of a scene, from the store where it is there; the store keeps the last few, each of which holds its scene."""
    if id(scene) not in store:
        store[id(scene)] = make()
    store.move_to_end(id(scene))
    while len(store) > NUM_SCENES_KEPT:
        store.popitem(last=False)
    return store[id(scene)]
