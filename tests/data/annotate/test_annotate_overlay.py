import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_data import FRAMES, SIZE, room_clip, rows_of

from video3d.data.annotate.overlay import boxes_in_frames, map_from_above
from video3d.data.annotate.pictures import frame_png
from video3d.data.annotate.probe import probe
from video3d.data.drawing import (
    EDGES,
    clip_near,
    depth_colors,
    depth_scale_m,
    instance_color,
    mask_layer,
    segments_px,
)
from video3d.geometry.boxes import box_corners, box_from_bounds
from video3d.geometry.rigid import inverse_rigid, project, transform_points


@pytest.fixture(scope="module")
def clip():
    return room_clip()


def test_twelve_edges_each_along_one_axis():
    corners = box_corners(box_from_bounds(np.zeros(3), np.array([1.0, 2.0, 3.0])))
    lengths = np.linalg.norm(corners[EDGES[:, 0]] - corners[EDGES[:, 1]], axis=1)
    assert sorted(lengths.tolist()) == [1.0] * 4 + [2.0] * 4 + [3.0] * 4


def test_boxes_lie_where_their_pixels_are(clip):
    row = rows_of()[0]
    for frame, boxes in enumerate(boxes_in_frames(clip.truth, row)):
        named = [box for box in boxes if box["role"] == "named"]
        assert [box["id"] for box in named] == [2, 5] and len(boxes) == 5
        for box in named:
            ends = np.array(box["segments"]).reshape(-1, 2)
            lines, columns = np.nonzero(clip.instance[frame] == box["id"])
            low, high = ends.min(axis=0), ends.max(axis=0)
            # What is seen of a box that nothing hides reaches its outline, to a pixel.
            assert np.abs(low - [columns.min(), lines.min()]).max() < 1.2
            assert np.abs(high - [columns.max() + 1, lines.max() + 1]).max() < 1.2


def test_lines_end_at_the_near_plane(rng):
    begin, end = rng.normal(size=(2, 500, 3))
    cut_begin, cut_end = clip_near(begin, end, 0.3)
    assert (cut_begin[:, 2] >= 0.3 - 1e-12).all() and (cut_end[:, 2] >= 0.3 - 1e-12).all()
    kept = np.maximum(begin[:, 2], end[:, 2]) > 0.3
    assert len(cut_begin) == kept.sum()
    way, cut = (end - begin)[kept], cut_end - cut_begin
    assert np.abs(np.cross(way, cut)).max() < 1e-9  # still on the same line
    untouched = (begin[kept][:, 2] >= 0.3) & (end[kept][:, 2] >= 0.3)
    assert untouched.any() and np.array_equal(cut_begin[untouched], begin[kept][untouched])


def test_a_box_around_the_camera_behind_it_and_unknown():
    k_px = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    around = box_corners(box_from_bounds(np.full(3, -1.0), np.full(3, 1.0)))
    lines = segments_px(around, np.eye(4), k_px, (100, 100))
    assert np.isfinite(lines).all() and len(lines) <= 8
    assert len(segments_px(around - np.array([0, 0, 5.0]), np.eye(4), k_px, (100, 100))) == 0
    assert len(segments_px(around, np.full((4, 4), np.nan), k_px, (100, 100))) == 0
    beside = around * 0.1 + np.array([30.0, 0, 5])
    assert len(segments_px(beside, np.eye(4), k_px, (100, 100))) == 0


def test_map_from_above(clip):
    drawn = map_from_above(clip.truth, rows_of()[4])
    still, moving = drawn["things"][0], drawn["things"][4]
    assert len(still["outlines"]) == 1 and len(moving["outlines"]) == FRAMES
    assert moving["outlines"][0] == [[1.05, 1.65], [1.35, 1.65], [1.35, 1.95], [1.05, 1.95]]
    answer = drawn["things"][-1]
    assert answer["role"] == "answer" and np.allclose(
        answer["outlines"][0], drawn["things"][1]["outlines"][0], atol=1e-3
    )
    assert len(drawn["room"]["floor"]) == 4 and drawn["camera"][0][:2] == [-0.8, 0.0]
    poses = clip.truth.world_from_camera.copy()
    poses[2] = np.nan
    objects = (
        replace(clip.truth.objects[0], world_from_object=np.full((FRAMES, 4, 4), np.nan)),
        *clip.truth.objects[1:],
    )
    unknown = replace(clip.truth, world_from_camera=poses, objects=objects, room=None)
    drawn = map_from_above(unknown, rows_of()[0])
    assert drawn["camera"][2] is None and drawn["room"] is None
    assert all(outline == [] for outline in drawn["things"][0]["outlines"])
    assert boxes_in_frames(unknown, rows_of()[0])[2] == []


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_pictures(clip):
    assert np.array_equal(opened(frame_png(clip, 1, "colour")), clip.rgb[1])
    depth = opened(frame_png(clip, 1, "depth"))
    unknown = ~np.isfinite(clip.depth_m[1])
    assert unknown.any() and (depth[unknown] == 128).all()
    light = depth.astype(float).sum(axis=-1)
    near, far = clip.depth_m[1] < 2.0, clip.depth_m[1] > 4.0
    assert light[near].min() > light[far].max()
    mask = opened(frame_png(clip, 1, "mask"))
    assert np.array_equal(mask[..., 3] > 0, clip.instance[1] > 0)
    assert (mask[clip.instance[1] == 2][:, :3] == instance_color(2)).all()
    without = replace(clip, depth_m=None, instance=None)
    assert frame_png(without, 0, "depth") is None and frame_png(without, 0, "mask") is None
    assert len({instance_color(i) for i in range(1, 60)}) == 59
    assert mask_layer(np.zeros((3, 4), np.uint16)).max() == 0


def test_depth_scale():
    assert depth_scale_m(np.full((1, 2, 2), np.nan, np.float32)) is None
    assert depth_scale_m(np.full((1, 2, 2), 3.0, np.float32)) == (3.0, 3.01)
    shades = depth_colors(np.linspace(0, 1, 50)).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) <= 0.5).all()


def test_probe_agrees_with_projection(clip):
    frame, at = 2, (SIZE / 2 + 0.5, SIZE * 0.8 + 0.2)
    found = probe(clip, frame, at)
    pose = inverse_rigid(clip.truth.world_from_camera[frame])
    px, z_m = project(transform_points(pose, np.array(found["point_world"])), clip.truth.k_px[frame])
    assert np.abs(px - (np.floor(at) + 0.5)).max() < 0.1 and abs(z_m - found["depth_m"]) < 2e-3
    assert abs(found["point_world"][2]) < 2e-3  # the floor
    lines, columns = np.nonzero(clip.instance[frame] == 2)
    assert probe(clip, frame, (float(columns[0]), float(lines[0])))["object"] == "red chair 2"
    for outside in ((-1.0, 3.0), (3.0, float(SIZE)), (1e300, 0.0)):
        assert set(probe(clip, frame, outside).values()) == {None}
