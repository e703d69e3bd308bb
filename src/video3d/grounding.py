"""From a phrase to boxes: everything that stands out is proposed from geometry alone, the model says which of it is meant.

No detector is needed. A model whose grounding heads are untrained is not asked: it would give numbers that mean nothing.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from video3d.answers.facts import SceneFacts
from video3d.answers.named import SURE_ENOUGH, Finders
from video3d.answers.named_question import mentions
from video3d.answers.prompt import build_prompt
from video3d.answers.references import plain
from video3d.geometry.boxes import gap_m
from video3d.geometry.gravity import ON_THE_FLOOR
from video3d.geometry.lift import lift_patches
from video3d.geometry.patch_boxes import patch_box_shares
from video3d.geometry.proposals import Proposal, propose_boxes
from video3d.geometry.resize import resize_clip
from video3d.scene import KeptScene
from video3d.types import Detection, InputError, PosedClip
from video3d.types.grounding import Grounding

if TYPE_CHECKING:
    from video3d.model.modeling_video3d import Video3DForConditionalGeneration
    from video3d.model.processing_video3d import Video3DProcessor

ASKED = "Identify the object according to the following description. "
"""What the published model was trained to be asked (arXiv 2412.00493), before the description."""
_POINTS_HW = (120, 160)
_PATCH_PX = 2
MAX_PHRASE_CHARS = 500


def propose_objects(clip: PosedClip) -> tuple[Proposal, ...]:
    """Boxes around what stands in a clip's world, the best first; () where depth or poses are unknown.

    Args:
        clip: with complete geometry, gravity-aligned where that could be done.
    """
    points = patch_points(clip)
    here = np.isfinite(points).all(-1)
    frame = np.broadcast_to(np.arange(clip.num_frames)[:, None, None], here.shape)[here]
    floor_z = 0.0 if clip.world.gravity_aligned and clip.world.origin == ON_THE_FLOOR else None
    return propose_boxes(points[here], frame=frame, floor_z=floor_z, gravity_aligned=clip.world.gravity_aligned)


def patch_points(clip: PosedClip) -> Float32[np.ndarray, "f gh gw 3"]:
    """World points of small patches of every frame; NaN where unknown, and in frames of other pieces than the largest."""
    height, width = clip.size_hw
    scale = min(_POINTS_HW[0] / height, _POINTS_HW[1] / width, 1.0)
    small = resize_clip(clip, (max(4, round(height * scale)), max(4, round(width * scale))))
    points = lift_patches(small, _PATCH_PX).points_world
    return np.where((clip.piece == 0)[:, None, None, None], points, np.float32(np.nan))


def check_phrase(phrase: str) -> None:
    """Refuse what cannot be a description.

    Raises:
        InputError: nothing, or too much.
    """
    if not phrase.strip():
        raise InputError("phrase", expected="a description of an object, in words", got="nothing")
    if len(phrase) > MAX_PHRASE_CHARS:
        raise InputError("phrase", expected=f"at most {MAX_PHRASE_CHARS} characters", got=len(phrase))


def ground(
    phrase: str,
    clip: PosedClip,
    facts: SceneFacts,
    *,
    name: str,
    model: "Callable[[], tuple[Video3DForConditionalGeneration, Video3DProcessor]]",
    kept: Callable[[], KeptScene],
    threshold: float,
    finders: Callable[[], Finders | None] = lambda: None,
) -> Grounding:
    """The objects of a scene that a phrase means, or an explicit nothing that says why.

    Args:
        phrase: a description of an object, or of several.
        clip: the scene.
        facts: of it, which stand in the prompt.
        name: what the model is called.
        model: loads it and its processor; not called where nothing stands out.
        kept: gives the scene as the model has it in mind; called for trained heads only.
        threshold: objects are taken, best first, until their shares sum up to this (Multi3DRefer's way).
        finders: how things are found by name, for models whose grounding heads are untrained; None: they cannot be.

    Raises:
        InputError: an empty phrase, or too long a one.
    """
    check_phrase(phrase)
    proposals = propose_objects(clip)
    if not proposals:
        why = "depth is unknown" if facts.depth is None else "nothing stands out from floor and walls"
        return _nothing(phrase, why, clip, ())
    loaded, processor = model()
    if loaded.grounding is None or not loaded.config.grounding_trained:
        if (by_name := finders()) is not None:
            found, why = named_in(phrase, clip.num_frames - 1, by_name)
            nothing = _nothing(phrase, why, clip, proposals)
            return replace(nothing, found=found) if found else nothing
        why = f"{name} has not learned to find objects by words; {len(proposals)} things stand out"
        return _nothing(phrase, why, clip, proposals)
    return _chosen(phrase, clip, facts, proposals, loaded, processor, kept(), threshold)


_BESIDE = re.compile(r"^(?:by|near|next|beside|close|closest|nearest|at)$")
_ARTICLES = re.compile(r"\b(?:the|a|an|this|that|to|is|stands|standing)\b|[^a-z ]")


def named_in(phrase: str, position: int, find: Finders) -> tuple[tuple[Detection, ...], str]:
    """What a phrase means that is a name ("the red chair", "chairs") or a name beside another ("the chair by the window").

    Args:
        phrase: in English or Chinese.
        position: frame of the clip as of which things that move are looked for.
        find: finds things by name.

    Returns:
        The objects, the surest first, and, where there are none, why.
    """
    text = plain(phrase)
    named = mentions(text)
    if not named:
        return (), "no word in it is the name of a thing that can be found"
    rest = text
    for start, end, _ in reversed(named):
        rest = f"{rest[:start]}#{rest[end:]}"
    words = " ".join(_ARTICLES.sub(" ", rest).split())
    head = named[0][2]
    likeliest, *others = find.locate(
        [thing for _, _, thing in named[:2]], position
    )  # more is too much to be understood
    found = [likeliest] if likeliest is not None and likeliest.score >= SURE_ENOUGH else []
    if head.color is None:
        found = [place for _, place in find.count(head.category)] or found
    if len(named) == 2 and _BESIDE.match(words):
        beside = others[0]
        if beside is None or beside.score < SURE_ENOUGH:
            return (), f"{named[1][2].said} was not found with any certainty"
        found = sorted(found, key=lambda place: gap_m(place.box, beside.box))[:1]
    elif words or len(named) > 1:
        return (), "it describes more than a name, or a name beside another"
    why = "" if found else f"{head.said} was not found with any certainty"
    return tuple(Detection(box=place.box, label=head.said, score=place.score) for place in found), why


def _nothing(phrase: str, why: str, clip: PosedClip, proposals: tuple[Proposal, ...]) -> Grounding:
    return Grounding(
        phrase=phrase,
        found=(),
        why_nothing=why,
        proposals=_considered(proposals),
        none_share=None,
        metric=clip.world.metric,
        geometry=clip.status,
    )


def _chosen(
    phrase: str,
    clip: PosedClip,
    facts: SceneFacts,
    proposals: tuple[Proposal, ...],
    model: "Video3DForConditionalGeneration",
    processor: "Video3DProcessor",
    kept: KeptScene,
    threshold: float,
) -> Grounding:
    import torch

    from video3d.model.grounding import select_objects

    text = build_prompt(facts, ASKED + phrase, kept.findings)
    batch = processor(text=text, num_scene_tokens=int(kept.tokens.mask.sum())).to(model.device)
    ids = batch["input_ids"]
    if model.config.ground_token_id is not None:
        ids = torch.cat([ids, ids.new_tensor([[model.config.ground_token_id]])], 1)
    state = model.read_phrase(ids, kept.cache)[0]
    boxes = [one.box for one in proposals]
    share = None
    if kept.tokens.patch_content is not None:  # weights that were trained to see objects by patches
        small = processor.fit_clip(clip)
        share = patch_box_shares(
            small.depth_m, small.k_px, small.world_from_camera, boxes, processor.patch_px,
            unknown_as_zero=model.config.compat_unknown_depth,
        )  # fmt: skip
    with torch.no_grad():
        scores = model.score_objects(kept.tokens, state, boxes, share)
    chosen = select_objects(scores.cpu(), threshold, model.config.grounding_temperature)
    found = tuple(
        Detection(box=proposals[i].box, label=phrase, score=share)
        for i, share in zip(chosen.indices, chosen.shares, strict=True)
    )
    return Grounding(
        phrase=phrase,
        found=found,
        why_nothing="" if found else f"of {len(proposals)} things that stand out, the model takes none for it",
        proposals=_considered(proposals),
        none_share=chosen.zero_share,
        metric=clip.world.metric,
        geometry=clip.status,
    )


def _considered(proposals: tuple[Proposal, ...]) -> tuple[Detection, ...]:
    return tuple(Detection(box=one.box, label="thing", score=one.score) for one in proposals)
