"""Questions about things by name: what is read of them, and that the answers are those of the boxes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders, Located, answer_named
from video3d.answers.named_question import mentions, parse_named
from video3d.answers.surfaces import Surface
from video3d.geometry.boxes import gap_m, nearest_point
from video3d.types import Box3D, GeometryStatus, PosedClip, World

READ = [
    ("How far is the chair?", "distance", ["chair"], ""),
    ("how far away is the red sofa from the camera?", "distance", ["sofa"], ""),
    ("What is the distance between the bed and the desk?", "apart", ["bed", "desk"], ""),
    ("Which is closer to the camera, the chair or the table?", "nearer", ["chair", "table"], "near"),
    ("Is the fridge farther than the sink?", "nearer", ["refrigerator", "sink"], "far"),
    ("Of the lamp and the vase, which one is closest to the bed?", "nearest_to", ["lamp", "vase", "bed"], "near"),
    ("Is the chair to the left of the table?", "side", ["chair", "table"], "left"),
    ("Is the tv in front of the couch?", "depth_order", ["tv", "sofa"], "front"),
    ("Is the clock above the door?", "higher", ["clock", "door"], "above"),
    ("How tall is the bookshelf?", "size", ["bookcase"], "tall"),
    ("How high is the lamp?", "height", ["lamp"], ""),
    ("Where is the blue car?", "where", ["car"], ""),
    ("Which is nearer to the plastic box: the mug or the lamp?", "nearest_to", ["cup", "lamp", "box"], "near"),
    ("Is the clock above the shelf or below the shelf?", "higher", ["clock", "shelf"], "above"),
    (
        "Which is further to the right: the chair or the table? Options: the chair; the table.",
        "across",
        ["chair", "table"],
        "right",
    ),
    ("Which one is more to the left, the chair or the bed?", "across", ["chair", "bed"], "left"),
    (
        "Which is nearer to the camera, the bed or the sofa? Options: the bed; the sofa.",
        "nearer",
        ["bed", "sofa"],
        "near",
    ),
    ("What colour is the sofa?", "color", ["sofa"], ""),
    ("How many chairs are there?", "count", ["chair"], ""),
    ("Is there a dog in the video?", "exists", ["dog"], ""),
    ("How many metres away is the chair?", "distance", ["chair"], ""),
    ("How many meters is it from the sofa to the bed?", "apart", ["sofa", "bed"], ""),
    ("How many metres are the sofa and the bed apart?", "apart", ["sofa", "bed"], ""),
    ("How far is the camera from the door?", "distance", ["door"], ""),
    ("How far is the sofa in feet?", "distance", ["sofa"], ""),
    ("How big is the patterned cup?", "size", ["cup"], ""),
    ("Count the doors that appear in the video. How many are there?", "count", ["door"], ""),
    ("Over the whole video, how many different cars are visible?", "count", ["car"], ""),
    ("How many cars does the video show in total?", "count", ["car"], ""),
    ("How many chairs can you see in the kitchen?", "count", ["chair"], ""),
    ("Is the chair behind the table or in front of it?", "depth_order", ["chair", "table"], "front"),
    ("沙发的左边有书架吗？", "side", ["bookcase", "sofa"], "left"),  # is there a bookcase to the left of the sofa
    ("桌子前面有没有椅子吗？", "depth_order", ["chair", "table"], "front"),
    ("椅子离桌子多远？", "apart", ["chair", "table"], ""),
    ("沙发离相机多远？", "distance", ["sofa"], ""),
    ("有几把椅子？", "count", ["chair"], ""),
    ("红色的汽车在哪里？", "where", ["car"], ""),
]
LEFT_ALONE = [
    "What is the chair made of?",
    "What will the car do next?",
    "If I stand at the bed and face the door, is the chair on my left?",
    "Which way does the person move?",
    "How far does the camera travel?",
    "How far is pixel (3, 4) in frame 2 from the chair?",
    "Which is nearest to the chair?",
    "How many metres does the table measure from bottom to top?",
    "How many metres away will the ball be?",
    "How many metres is it from the floor to the ceiling?",
    "Is the sofa not behind the bookcase?",
    "Is the sofa neither left nor right of the bookcase?",
    "Isn't the sofa behind the bookcase?",
    "沙发不在书架的后面吗？",
    "How many legs does the table have?",
    "How many sofas are not blue?",
    "How many things are on the sofa?",
    "How many chairs are behind the table?",
    "How far is the sofa from the telly?",
    "How far is the sofa from the robot?",
    "How far is the sofa from the corner of the room?",
    "How far apart are the sofas?",
    "沙发离机器人多远？",
    "Is the sofa in front of the bookcase blue?",
    "Is the bookcase behind the sofa made of wood?",
    "Is the door behind the table open?",
    "Is the person behind the car dangerous?",
    "Where is the sofa sold?",
    "How far could the ball roll?",
    "How long does the ball take to stop?",
    "How many metres is the table long?",
    "Of the chair, the bed and the table, which two are closest together?",
    "Which stands farthest from a wall: the chair, the bed or the table?",
    "What is between the bed and the door?",
    "What is the headline of the poster behind the plant?",
    "",
    "\x00\u202e" * 50,
    "chair " * 3000,
]


@pytest.mark.parametrize(("text", "kind", "things", "expects"), READ)
def test_common_questions_are_read(text: str, kind: str, things: list[str], expects: str) -> None:
    asked = parse_named(text)
    assert asked is not None and asked.kind == kind and asked.expects == expects
    assert [thing.category for thing in asked.things] == things


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_boxes_do_not_tell_is_left_to_others(text: str) -> None:
    assert parse_named(text) is None


def test_colours_and_frames_are_read() -> None:
    asked = parse_named("In frame 3, is the red chair to the right of the white table?")
    assert asked is not None and [thing.color for thing in asked.things] == ["red", "white"]
    assert asked.frame is not None and asked.frame.value == 3 and asked.polar and asked.expects == "right"


def _box(center, size=(0.5, 0.5, 1.0)) -> Box3D:
    return Box3D(center_world=np.array(center, float), size_m=np.array(size, float), world_from_box=np.eye(3))


def _clip() -> PosedClip:
    """Two frames that look level along +y from 1.5 m: the right is +x."""
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    pose[2, 3] = 1.5
    k = np.array([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]])
    return PosedClip(
        frame_index=np.array([0, 7]), time_s=np.array([0.0, 1.0]), rgb=np.zeros((2, 48, 64, 3), np.uint8),
        depth_m=np.full((2, 48, 64), 4.0, np.float32), k_px=np.tile(k, (2, 1, 1)), world_from_camera=np.tile(pose, (2, 1, 1)),
        piece=np.array([0, 0]), world=World(metric=True, gravity_aligned=True, origin="floor"),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip


def _ask(text: str, places: dict[str, tuple[Box3D, float]], floor_z: float | None = 0.0):
    clip = _clip()
    asked = parse_named(text)
    assert asked is not None

    def locate(things, position):
        found = [places.get(thing.category) for thing in things]
        return [None if one is None else Located(box=one[0], score=one[1], frames=(0,)) for one in found]

    facts = replace(scene_facts(clip), floor_z=floor_z)

    def count(name):
        every = ((what, Located(box=box, score=s, frames=(0,))) for what, (box, s) in places.items())
        return tuple(one for one in every if name in (None, one[0]) and one[1].score >= 0.3)

    return answer_named(asked, clip, facts, Finders(locate, count, lambda things: [None] * len(things)))


THINGS = {"chair": (_box((-1, 2, 0.5)), 0.9), "table": (_box((1, 3, 0.4)), 0.8)}


def test_answers_are_those_of_the_boxes() -> None:
    answer = _ask("Is the chair to the left of the table?", THINGS)
    assert (
        answer.source == "model"
        and answer.text.startswith("Yes")
        and "left" in answer.text
        and "stimated" in answer.text
    )
    assert _ask("Is the chair to the right of the table?", THINGS).text.startswith("No")
    assert _ask("Is the chair in front of the table?", THINGS).text.startswith("Yes")
    assert "The chair is nearer" in _ask("Which is closer to the camera, the table or the chair?", THINGS).text
    assert "The table is farther to the right" in _ask("Which is further right, the chair or the table?", THINGS).text
    assert (
        "The table is farther from the camera"
        in _ask("Which is farther from the camera, the chair or the table?", THINGS).text
    )
    apart = _ask("How far is the chair from the table?", THINGS).quantities[0].value
    assert apart == pytest.approx(np.hypot(0.5, 1.5), abs=1e-3)
    where = _ask("Where is the chair?", THINGS)
    assert where.quantities[0].value == pytest.approx(-np.degrees(np.arctan2(1, 2))) and "left" in where.text
    top = _ask("How high is the chair?", THINGS).quantities
    assert (top[0].value, top[1].value) == pytest.approx((0.0, 1.0), abs=0.05)
    assert "where the floor is" in _ask("How high is the chair?", THINGS, floor_z=None).text
    assert _ask("How many chairs are there?", THINGS).quantities[0].value == 1
    assert _ask("What objects are in the room?", THINGS).text.startswith("I find a chair, a table (")
    assert "1把椅子" in _ask("房间里有什么？", THINGS).text and _ask("What is there?", {}).source == "unknown"
    assert "3.0" not in _ask("椅子在哪里？", THINGS).text and "左" in _ask("椅子在哪里？", THINGS).text


def test_two_names_for_what_stands_at_one_place_are_not_told_apart() -> None:
    things = {"chair": (_box((-1, 2, 0.5)), 0.9), "table": (_box((-1.05, 2.05, 0.4)), 0.8)}
    answer = _ask("How far is the chair from the table?", things)
    assert answer.source == "unknown" and "apart" in answer.text and not answer.quantities


def test_colours_are_told_where_most_votes_agree() -> None:
    clip, facts = _clip(), scene_facts(_clip())

    def said(text, share):
        place = Located(box=_box((0, 2, 0.5)), score=0.9, frames=(0,), color=("brown", share))
        return answer_named(parse_named(text), clip, facts, Finders(lambda *_: [place], lambda _: (), lambda _: [None]))

    assert "is brown" in said("What colour is the sofa?", 0.8).text and "棕色" in said("沙发是什么颜色？", 0.8).text
    assert said("What colour is the sofa?", 0.3).source == "unknown"


def test_things_of_another_colour_are_not_counted_and_not_passed_over_in_silence() -> None:
    clip, facts = _clip(), scene_facts(_clip())
    behind = (
        ((-1.0, -3.0, 0.5), "red"),
        ((1.0, -3.0, 0.5), "blue"),
    )  # where no pixel shows them: votes tell their colours
    chairs = [Located(box=_box(at), score=0.9, frames=(0,), color=(hue, 0.9)) for at, hue in behind]

    def said(text: str, found: Located = chairs[1]):
        every = tuple(("chair", one) for one in chairs)
        return answer_named(
            parse_named(text), clip, facts, Finders(lambda *_: [found], lambda _: every, lambda _: [None])
        )

    assert said("How many chairs are there?").quantities[0].value == 2
    assert said("How many red chairs are there?").quantities[0].value == 1
    assert said("How many green chairs are there?").quantities[0].value == 0
    assert "does not look so coloured" in said("Where is the red chair?").text
    assert "coloured" not in said("Where is the red chair?", chairs[0]).text


def test_walls_and_floors_are_those_that_depth_shows() -> None:
    clip = _clip()
    wall = Surface(kind="wall", z=2.5, height=2.5, length=6.0, width=2.5, area=15.0, normal=(0.0, -1.0, 0.0), center=(0.0, 4.0, 1.25))  # fmt: skip
    facts = replace(scene_facts(clip), surfaces=(wall, wall), scene_source="measured")

    def said(text: str):
        return answer_named(parse_named(text), clip, facts, Finders(lambda *_: [None], lambda _: (), lambda _: [None]))

    assert (
        said("Is there a wall?").text.startswith("Yes") and said("How many walls are there?").quantities[0].value == 2
    )
    assert said("How many walls are there?").source == "measurement"
    assert said("Is there a ceiling?").source == "unknown"  # which may only be out of view


def test_a_frame_that_there_is_not_is_said_to_be_none() -> None:
    answer = _ask("In frame 99, is the chair to the left of the table?", THINGS)
    assert answer.source == "unknown" and "no such frame" in answer.text


def test_what_is_counted_may_not_surely_be_there() -> None:
    things = {"chair": (_box((-1, 2, 0.5)), 0.4)}
    assert "0 of them surely" in _ask("How many chairs are there?", things).text
    assert "surely" not in _ask("How many chairs are there?", THINGS).text


def test_what_is_not_found_is_not_answered() -> None:
    answer = _ask("How far is the sofa from the table?", THINGS)
    assert answer.source == "unknown" and "sofa" in answer.text and not answer.quantities
    unsure = {"chair": (_box((-1, 2, 0.5)), 0.2)}
    assert _ask("How far is the chair?", unsure).source == "unknown"
    assert _ask("Is there a chair?", unsure).source == "unknown"
    assert _ask("Is there a chair?", THINGS).text.startswith("Yes") and _ask("Is there a dog?", THINGS).text.startswith(
        "No"
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_gaps_are_symmetric_never_longer_than_between_centres_and_right_for_boxes_along_the_axes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (_box(rng.uniform(-3, 3, 3), rng.uniform(0.1, 2, 3)) for _ in range(2))
    beyond = np.abs(a.center_world - b.center_world) - (a.size_m + b.size_m) / 2
    assert gap_m(a, b) == pytest.approx(np.linalg.norm(np.maximum(beyond, 0)), abs=1e-3)
    assert gap_m(a, b) == pytest.approx(gap_m(b, a), abs=1e-3)
    point = rng.uniform(-5, 5, 3)
    assert bool((np.abs(nearest_point(a, point) - a.center_world) <= a.size_m / 2 + 1e-9).all())


def test_a_place_for_what_may_not_be_there_says_so() -> None:
    """The bed is placed by name, but was not found with certainty when everything was looked for."""
    things = {**THINGS, "bed": (_box((0, 4, 0.4)), 0.45)}
    doubt = "Whether there is a bed at all is not certain"
    assert doubt in _ask("How far is the bed?", things).text
    assert "Whether there is" not in _ask("How far is the chair?", things).text
    both = _ask("How far is the bed from the chair?", things).text
    assert doubt in both and "a chair" not in both
    assert "是否真的有床并不确定" in _ask("床离相机多远？", things).text


@pytest.mark.parametrize("text", [
    "Are there more than 3 chairs?", "Are there exactly two chairs?", "Is there someone sitting on a chair?", "Is there room for a sofa?", "Is there a gap under the door?",
    "Are there no chairs?", "椅子有没有靠背？",
])  # fmt: skip
def test_what_asks_for_more_than_whether_a_thing_is_there_is_not_answered_as_that(text):
    asked = parse_named(text)
    assert asked is None or asked.kind != "exists"


@pytest.mark.parametrize("text", [
    "Is there a chair?", "Is there a chair in the room?", "Are there any chairs here?", "Do you see a red chair?", "Is there a round table?", "有没有椅子？", "房间里有椅子吗？",
])  # fmt: skip
def test_whether_a_thing_is_there_is_read(text):
    asked = parse_named(text)
    assert asked is not None and asked.kind == "exists"


def test_the_camera_over_a_thing_is_no_height_of_it():
    assert parse_named("How high is the camera above the table?") is None


@pytest.mark.parametrize(
    ("text", "hue"), [("Is the table white?", "white"), ("Are the chairs red?", "red"), ("椅子是红色的吗？", "red")]
)
def test_whether_a_thing_is_of_a_colour_is_a_question_on_its_colour(text, hue):
    asked = parse_named(text)
    assert asked is not None and (asked.kind, asked.expects, asked.polar) == ("color", hue, True)


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("How far is the picture from the door?", ["picture", "door"]),
        ("Taking the front of the picture as forward, where is the lamp?", ["picture", "lamp"]),
        ("How high above the floor is the bottom of the picture?", ["picture"]),
        ("What is in the picture?", []),
        ("Which of the two enters the picture first, the car or the van?", ["car", "van"]),
        ("Is the lamp on the left of the picture?", ["lamp"]),
        ("Where is the white crossing?", ["crossing"]),
        ("Is the person crossing the road?", ["person"]),
        ("Is anybody crossing?", []),
        ("How many crossings does the video show in total?", ["crossing"]),
        ("Over the whole video, how many different crossings are visible?", ["crossing"]),
    ],
)
def test_a_picture_may_be_on_the_wall_and_a_crossing_on_the_road(text: str, things: list[str]) -> None:
    said = [thing.category for _, _, thing in mentions(text.lower())]
    assert [one for one in said if one != "floor"] == things
