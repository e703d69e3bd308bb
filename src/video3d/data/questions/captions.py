"""Dense captions: what a clip shows, where things stand to one another, and how the camera moves; English and Chinese."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from video3d import vocabulary
from video3d.data.questions.arrangement import gap_m, is_still, level_axes, turn_deg
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.confusion import confused, nameable
from video3d.data.questions.layout_place import wall_distances
from video3d.data.questions.references import TWO_COLORED, Reference, name_of, referable
from video3d.data.questions.relation_classes import relation_states
from video3d.data.questions.visibility import ever_seen, seen_mask, well_seen
from video3d.data.questions.wording import Said, Wordings, article, at_frame, at_most, capitalized, shuffled
from video3d.data.row import ShortText
from video3d.data.truth import GROUND, SceneTruth
from video3d.geometry.rigid import is_known

MAX_WORDS = 100
_SPECK_SHARE = 0.003  # of the picture: 150 of 224 x 224 pixels
_LARGE_SHARE = 0.03
_ASK = Wordings(
    en=(
        "Describe the scene in this video.",
        "What does the video show? Say what is there and where.",
        "Give a detailed description of the place in the video and of how the camera moves.",
        "Describe what you see: the things, how they are arranged, and the camera's movement.",
    ),
    zh=(
        "描述这段视频中的场景。",
        "视频里有什么？请说明有哪些东西以及它们的位置。",
        "请详细描述视频中的地方以及相机的移动。",
    ),
)
_FEW = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FEW_ZH = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九")


def scene(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """One caption a clip: an inventory, up to five true relations, the camera's way. Not made where little is seen."""
    inventory, ids = _inventory(truth)
    if len(ids) < 3:
        return
    sentences = [inventory, *_relations(truth, rng)]
    camera = camera_motion(truth)
    kept = [sentences[0]]
    budget = MAX_WORDS - len(camera.en.split()) - len(kept[0].en.split())
    for sentence in sentences[1:]:
        budget -= len(sentence.en.split())
        if budget < 0:
            break
        kept.append(sentence)
    kept.append(camera)
    yield Candidate(
        type="caption",
        subtype="caption.scene",
        question=_ASK.render(rng),
        answer=ShortText(),
        answer_text={"en": " ".join(s.en for s in kept), "zh": "".join(s.zh for s in kept)},
        answer_key="caption",
        frame="observer",
        object_ids=ids,
        evidence_frames=tuple(range(truth.num_frames)),
        group="caption.scene",
    )


def _inventory(truth: SceneTruth) -> tuple[Said, tuple[int, ...]]:
    """For example "A room with a red chair, two tables and a lamp." Kinds of which some are seen badly are left out."""
    phrases: list[tuple[float, Said]] = []
    ids: list[int] = []
    for category in sorted({o.category for o in truth.objects}):
        seen = [o for o in truth.objects if o.category == category and ever_seen(truth, o.object_id)]
        same = [o for o in seen if _is_plain(truth, o.object_id)]
        if not same or not nameable(category):
            continue
        entry = vocabulary.category(category)
        color = same[0].color if len(seen) == 1 and category not in TWO_COLORED else None
        named = name_of(category, color)
        if named is None or len(same) >= len(_FEW):
            continue
        if len(same) == 1:
            said = Said(article(named[0]), f"一{entry.measure_zh}{named[1]}")
        elif len(same) < len(seen):  # others are there that are seen badly
            said = Said(
                f"some {entry.plural}".replace("tv", "TV").replace("dvd", "DVD"), f"几{entry.measure_zh}{entry.zh}"
            )
        else:
            plural = entry.plural.replace("tv", "TV").replace("dvd", "DVD")
            said = Said(f"{_FEW[len(same)]} {plural}", f"{_FEW_ZH[len(same)]}{entry.measure_zh}{entry.zh}")
        ids += [o.object_id for o in same]
        shown = max(float(truth.visible_px[:, truth.index(o.object_id)].sum()) for o in same)
        phrases.append((shown, said))
    # What fills the picture most is named first; of many things the dozen best seen.
    said_all = [said for _, said in sorted(phrases, key=lambda p: -p[0])][:12]
    en = [s.en for s in said_all]
    listed_en = f"{', '.join(en[:-1])} and {en[-1]}" if len(en) > 1 else "".join(en)
    zh = [s.zh for s in said_all]
    listed_zh = f"{'、'.join(zh[:-1])}和{zh[-1]}" if len(zh) > 1 else "".join(zh)
    if truth.domain == "street":
        return Said(f"A street with {listed_en}.", f"街道上有{listed_zh}。"), tuple(ids)
    return Said(f"A room with {listed_en}.", f"房间里有{listed_zh}。"), tuple(ids)


def _is_plain(truth: SceneTruth, object_id: int) -> bool:
    """Whether nobody would overlook a thing: seen well and not as a speck, or large in most frames, if cut off by their edges."""
    share = truth.visible_px[:, truth.index(object_id)] / float(np.prod(truth.size_hw))
    return bool(
        (well_seen(truth, object_id, min_frames=1) and share.max() >= _SPECK_SHARE)
        or (share >= _LARGE_SHARE).mean() >= 0.5
    )


def _relations(truth: SceneTruth, rng: np.random.Generator) -> list[Said]:
    """True sentences about who is on, in, beside, above, in front of what; a thing is a subject at most once."""
    named = [
        r
        for i, r in referable(truth).items()
        if _is_plain(truth, i) and (is_still(truth, i) or bool(seen_mask(truth, i)[-1]))
    ]
    last = truth.num_frames - 1
    used: set[int] = set()
    firm: list[Said] = []
    for a in named:
        thing = truth.object(a.object_id)
        for b in named:
            if a.object_id in used or a is b:
                continue
            if thing.inside_of == b.object_id:
                firm.append(Said(f"{a.en} is in {b.en}.", f"{a.zh}在{b.zh}里面。"))
                used.add(a.object_id)
            elif thing.supported_by == b.object_id:
                firm.append(Said(f"{a.en} is on {b.en}.", f"{a.zh}在{b.zh}上。"))
                used.add(a.object_id)
        if (
            truth.room is not None
            and a.object_id not in used
            and thing.supported_by == GROUND
            and is_still(truth, a.object_id)
        ):
            away = wall_distances(truth, thing.box())
            if thing.kind == "furniture" and away.min() < 0.12:
                firm.append(Said(f"{a.en} stands against a wall.", f"{a.zh}靠墙放着。"))
                used.add(a.object_id)
    seen: list[Said] = []
    words = {
        "left": Said("to the left of", "左边"),
        "right": Said("to the right of", "右边"),
        "front": Said("in front of", "前面"),
        "behind": Said("behind", "后面"),
        "above": Said("above", "上方"),
    }
    at = at_frame(last, truth.num_frames)
    for a in shuffled(rng, named):
        for b in shuffled(rng, named):
            both = bool(seen_mask(truth, a.object_id)[-1]) and bool(seen_mask(truth, b.object_id)[-1])
            if a is b or a.object_id in used or b.object_id in used or not both:
                continue
            states = relation_states(truth, a.object_id, b.object_id, last)
            true = [name for name in words if states[name] is True and (name != "above" or states["on"] is False)]
            if true:
                word = words[true[0]]
                seen.append(Said(f"{at.en}, {a.en} is {word.en} {b.en}.", f"{at.zh}，{a.zh}在{b.zh}的{word.zh}。"))
                used |= {a.object_id, b.object_id}
    close = _close(truth, rng, named, used)
    chosen = [*at_most(rng, firm, 3), *seen[:2], *close[:1]]
    return [Said(capitalized(s.en), s.zh) for s in chosen]


def _close(truth: SceneTruth, rng: np.random.Generator, named: list[Reference], used: set[int]) -> list[Said]:
    """How far apart two things are, to a tenth of a metre."""
    still = [r for r in named if is_still(truth, r.object_id) and r.object_id not in used]
    for a, b in pairwise(still):
        distance_m = gap_m(truth.object(a.object_id).box(), truth.object(b.object_id).box())
        if distance_m > 0.3 and not confused(a.category, b.category):
            about = f"{distance_m:.1f}"
            return [
                Said(
                    f"{a.en} and {b.en} are about {about} m apart at their nearest points.",
                    f"{a.zh}和{b.zh}最近处相距约{about}米。",
                )
            ]
    return []


def camera_motion(truth: SceneTruth) -> Said:
    """How the camera moves from the first frame to the last: standing, forward, backward, sideways, up or down, and turning."""
    poses = truth.world_from_camera
    known = np.flatnonzero(is_known(poses))
    unknown = Said("The camera looks around.", "相机四处拍摄。")
    if known.size < 2:
        return unknown
    first, last = int(known[0]), int(known[-1])
    axes, axes_last = level_axes(truth, first), level_axes(truth, last)
    if axes is None or axes_last is None:
        return unknown
    step = poses[last, :3, 3] - poses[first, :3, 3]
    forward, left = (float(v) for v in axes @ step[:2])
    headings = [a for a in (level_axes(truth, int(f)) for f in known) if a is not None]
    angles = [float(np.degrees(np.arctan2(a[0, 1], a[0, 0]))) for a in headings]
    turn = sum(turn_deg(one, two) for one, two in pairwise(angles))
    length = float(np.linalg.norm(step[:2]))
    moves: list[Said] = []
    if length > 0.25:
        if abs(forward) >= abs(left):
            moves.append(Said("moves forward", "向前移动") if forward > 0 else Said("moves backward", "向后移动"))
        else:
            moves.append(Said("moves to the left", "向左移动") if left > 0 else Said("moves to the right", "向右移动"))
        moves[0] = Said(f"{moves[0].en} by about {length:.1f} m", f"{moves[0].zh}约{length:.1f}米")
    if abs(turn) > 12:
        side = Said("turns to the left", "向左转") if turn > 0 else Said("turns to the right", "向右转")
        degrees = round(abs(turn) / 5) * 5
        moves.append(Said(f"{side.en} by about {degrees} degrees", f"{side.zh}约{degrees}度"))
    path = float(np.linalg.norm(np.diff(poses[known, :3, 3], axis=0), axis=1).sum())
    if not moves:
        still = path < 0.15 and float(np.ptp(np.unwrap(np.radians(angles)))) < 0.1
        return Said("The camera stays where it is.", "相机保持不动。") if still else unknown
    return Said(f"The camera {' and '.join(m.en for m in moves)}.", f"相机{'，并'.join(m.zh for m in moves)}。")


CAPTION_GENERATORS = (scene,)
