"""Video files: every frame carries its number, so that what is read is known to be what was asked for."""

import pickle
import shutil

import av
import numpy as np
import pytest
from video_writers import has_encoder, number_in, write_sound, write_video

from video3d.types import InputError
from video3d.video import video_decode, video_file
from video3d.video.video_file import open_recording

WAYS = {
    "h264.mp4": {"codec": "libx264"},
    "no_b.mp4": {"codec": "libx264", "num_b": 0},
    "open_gop.mkv": {"codec": "libx264", "options": {"x264-params": "open-gop=1:b-pyramid=none"}, "num_b": 3},
    "one_gop.mp4": {"codec": "libx264", "gop": 300},
    "all_key.mov": {"codec": "libx264", "gop": 1},
    "h264.mkv": {"codec": "libx264"},
    "h264.ts": {"codec": "libx264"},
    "h264.flv": {"codec": "libx264"},
    "h264.avi": {"codec": "libx264", "num_b": 3},
    "raw.h264": {"codec": "libx264", "num_b": 3},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "hevc.ts": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4_b.avi": {"codec": "mpeg4", "num_b": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "num_b": 2},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "8", "svtav1-params": "lp=1", "crf": "10"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "bars.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "ffv1.mkv": {"codec": "ffv1"},
}
WITHOUT_TIMES = {"raw.h264"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes each kind of file once."""
    folder, made = tmp_path_factory.mktemp("videos"), {}

    def get(name):
        if name not in made:
            if not has_encoder(WAYS[name]["codec"]):
                pytest.skip(f"this FFmpeg cannot write {WAYS[name]['codec']}")
            made[name] = write_video(folder / name, **WAYS[name])
        return made[name]

    return get


STAND_IN = video_decode._stand_in


@pytest.fixture(autouse=True)
def no_stand_ins(monkeypatch):
    """What the index lists must be decoded, not stood in for."""
    monkeypatch.setattr(video_decode, "_stand_in", lambda _, frame, __: pytest.fail(f"frame {frame} never came"))


def numbers(recording, indices):
    return [number_in(rgb) for rgb in recording.load_rgb(indices)]


@pytest.mark.parametrize("name", WAYS)
def test_every_container_gives_the_frames_asked_for(written, name):
    path = written(name)
    assert video_file.detect(path)
    recording = open_recording(path)
    assert recording.num_frames == 60 and recording.size_hw == (64, 128) and recording.format == "video"
    assert recording.sequence and recording.k_px is None and recording.load_depth_m is None
    if name in WITHOUT_TIMES:
        assert np.isnan(recording.time_s).all()
    else:
        np.testing.assert_allclose(recording.time_s, 0.04 * np.arange(60), atol=1e-3)
    for indices in (range(60), [59, 0, 30, 30, 17], [3], [59], range(0, 60, 7), [11, 12, 13, 47], [23, 25, 26]):
        assert numbers(recording, indices) == list(indices), indices


@pytest.mark.parametrize("seed", range(8))
def test_variable_frame_rate_is_read_by_timestamp(tmp_path, seed):
    rng = np.random.default_rng(seed)
    times_ms = np.cumsum(rng.choice([1, 7, 33, 40, 250, 3000], 50))
    path = write_video(
        tmp_path / ("vfr.mp4", "vfr.mkv")[seed % 2],
        num_frames=50,
        pts_ms=times_ms.tolist(),
        gop=int(rng.integers(1, 30)),
        num_b=int(rng.integers(0, 4)),
    )
    recording = open_recording(path)
    np.testing.assert_allclose(recording.time_s, (times_ms - times_ms[0]) / 1000, atol=6e-4)
    for _ in range(4):
        indices = rng.integers(0, 50, rng.integers(1, 12)).tolist()
        assert numbers(recording, indices) == indices


@pytest.mark.parametrize("rotation_deg", [0, 90, -90, 180])
def test_rotation_in_the_file_is_applied(tmp_path, rotation_deg):
    recording = open_recording(write_video(tmp_path / "phone.mp4", num_frames=4, rotation_deg=rotation_deg))
    assert recording.size_hw == ((64, 128) if rotation_deg % 180 == 0 else (128, 64))
    rgb = recording.load_rgb([3])[0]
    assert number_in(np.rot90(rgb, -rotation_deg // 90)) == 3
    # The red band at the top of the stored picture goes where a counterclockwise turn puts it.
    edge = {0: rgb[2, :], 90: rgb[:, 2], -90: rgb[:, -3], 180: rgb[-3, :]}[rotation_deg].astype(int)
    assert (edge[:, 0] - edge[:, 1] > 100).all()


@pytest.mark.parametrize("size_hw", [(67, 129), (17, 131), (65, 128)])
@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_odd_sizes(tmp_path, size_hw, codec):
    recording = open_recording(
        write_video(tmp_path / "odd.mkv", codec, num_frames=20, size_hw=size_hw, pix_fmt="yuv444p")
    )
    assert recording.size_hw == size_hw
    assert numbers(recording, [19, 4]) == [19, 4]


def test_only_wanted_frames_are_converted_and_only_near_ones_decoded(written, monkeypatch):
    recording = open_recording(written("h264.mp4"))
    converted, fed = [], []
    to_rgb, feed = video_decode.to_rgb, video_decode._Reel.feed
    monkeypatch.setattr(video_decode, "to_rgb", lambda *a: converted.append(1) or to_rgb(*a))
    monkeypatch.setattr(video_decode._Reel, "feed", lambda *a: fed.append(1) or feed(*a))
    assert numbers(recording, [2, 58, 40]) == [2, 58, 40]
    assert len(converted) == 3
    assert len(fed) <= 3 * 12 + 3  # from a keyframe each, keyframes being 12 frames apart at most


@pytest.mark.parametrize("name", ["h264.ts", "h264.mkv", "mpeg2.mpg"])
def test_without_seeking_the_frames_are_the_same(written, name, monkeypatch):
    recording = open_recording(written(name))
    monkeypatch.setattr(video_decode._Reel, "_seek", lambda *_: False)
    assert numbers(recording, [59, 20, 33]) == [59, 20, 33]


def test_a_seek_that_overshoots_is_noticed(written, monkeypatch):
    recording = open_recording(written("h264.ts"))
    landings = []

    def overshoot(reel, key):
        reel.container.seek(int(reel.index.packet_pts[-1]), stream=reel.stream)
        reel._rewound()
        reel.more()
        landings.append(key)
        reel.at = key  # claims to have arrived
        return True

    monkeypatch.setattr(video_decode._Reel, "_seek", overshoot)
    assert numbers(recording, [20, 33]) == [20, 33]
    assert len(landings) == 1  # one lie is enough


def test_frames_that_are_skipped_do_not_change_the_others(written, monkeypatch):
    for name in ("h264.mp4", "hevc.mp4", "mpeg2.mpg", "mpeg4_b.avi", "open_gop.mkv"):
        if name == "hevc.mp4" and not has_encoder("libx265"):
            continue
        recording = open_recording(written(name))
        fast = recording.load_rgb(range(2, 60, 9))
        with monkeypatch.context() as patch:
            patch.setattr(video_decode, "_SKIPS_NONREF", frozenset())
            np.testing.assert_array_equal(fast, recording.load_rgb(range(2, 60, 9)))


def lose(monkeypatch, recording, frames):
    """Lets the decoder give no picture for some frames."""
    lost = {int(recording.load_rgb.index.pts[f]) for f in frames}
    feed, drain = video_decode._Reel.feed, video_decode._Reel.drain
    monkeypatch.setattr(video_decode, "_stand_in", STAND_IN)
    monkeypatch.setattr(video_decode._Reel, "feed", lambda *a: [p for p in feed(*a) if p.pts not in lost])
    monkeypatch.setattr(video_decode._Reel, "drain", lambda *a: [p for p in drain(*a) if p.pts not in lost])


def test_a_frame_that_never_comes_shows_the_one_before_but_not_for_long(written, monkeypatch):
    recording = open_recording(written("one_gop.mp4"))
    with monkeypatch.context() as patch:
        lose(patch, recording, [30])
        patch.setattr(video_decode, "_SKIPS_NONREF", frozenset())
        assert numbers(recording, [29, 30, 31]) == [29, 29, 31]
    lose(monkeypatch, recording, range(20, 50))
    with pytest.raises(InputError, match=r"frame 45 of .*got damaged data"):
        recording.load_rgb([45])
    with pytest.raises(InputError, match="frame 40 of"):
        recording.load_rgb([10, 40, 55])


def test_frames_that_are_counted_end_where_the_pictures_end(written, monkeypatch):
    recording = open_recording(written("raw.h264"))
    feed, given = video_decode._Reel.feed, []

    def forty_pictures(reel, wanted):
        pictures = feed(reel, wanted)[: 40 - len(given)]
        given.extend(pictures)
        return pictures

    monkeypatch.setattr(video_decode._Reel, "feed", forty_pictures)
    monkeypatch.setattr(video_decode._Reel, "drain", lambda _: [])
    given.clear()
    with pytest.raises(InputError, match="frame 59 of"):
        recording.load_rgb([59])


def test_the_first_frames_are_left_out_when_only_they_fail(written, monkeypatch):
    path = written("h264.mp4")
    decode = video_file.decode_frames

    def fails_at_first(path, index, frames, sink):
        if frames[0] < 12:
            raise InputError("frame", expected="a picture", got="damaged data")
        decode(path, index, frames, sink)

    monkeypatch.setattr(video_file, "decode_frames", fails_at_first)
    recording = open_recording(path)
    start = 60 - recording.num_frames
    assert start >= 12 and recording.notes == (f"the first {start} of 60 frames are damaged and left out",)
    assert numbers(recording, [0, recording.num_frames - 1]) == [start, 59] and recording.time_s[0] == 0


def test_the_loader_travels_to_other_processes(written):
    recording = open_recording(written("h264.mp4"))
    again = pickle.loads(pickle.dumps(recording.load_rgb))
    assert [number_in(rgb) for rgb in again([7, 50])] == [7, 50]


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def assert_right_at_every_time(recording):
    """Frame i of the film was written to be shown at 40 ms times i."""
    assert numbers(recording, range(recording.num_frames)) == np.round(recording.time_s / 0.04).astype(int).tolist()


FILM = {"num_frames": 120, "size_hw": (96, 160)}


def test_file_cut_short_says_what_is_missing_and_gives_the_rest(tmp_path):
    whole = write_video(tmp_path / "a.mp4", muxer_options={"movflags": "faststart"}, **FILM)
    recording = open_recording(cut(whole, 0.6))
    assert 20 < recording.num_frames < 110
    assert any(f"has 120 frames, {recording.num_frames} can be read" in note for note in recording.notes)
    assert_right_at_every_time(recording)


def test_matroska_cut_short_is_noticed_by_its_duration(tmp_path):
    recording = open_recording(cut(write_video(tmp_path / "a.mkv", **FILM), 0.5))
    assert 20 < recording.num_frames < 110
    assert any("cut short" in note for note in recording.notes)
    assert_right_at_every_time(recording)


def test_transport_stream_that_begins_in_the_middle(tmp_path):
    path = write_video(tmp_path / "a.ts", **FILM)
    content = path.read_bytes()
    # From the 13th packet of 188 bytes on, the tables at the front kept: the first keyframe is gone.
    path.write_bytes(content[: 188 * 3] + content[188 * 13 :])
    recording = open_recording(path)
    got = numbers(recording, range(recording.num_frames))
    assert got == list(range(120 - recording.num_frames, 120)) and 60 < len(got) < 120


def test_hole_of_zeros_costs_the_frames_that_build_upon_it(tmp_path):
    path = write_video(tmp_path / "a.mp4", muxer_options={"movflags": "faststart"}, **FILM)
    content = bytearray(path.read_bytes())
    content[int(len(content) * 0.5) : int(len(content) * 0.6)] = bytes(
        int(len(content) * 0.6) - int(len(content) * 0.5)
    )
    path.write_bytes(content)
    recording = open_recording(path)
    assert 60 < recording.num_frames < 118
    assert any("cut short or damaged" in note for note in recording.notes)
    got = numbers(recording, range(recording.num_frames))
    # The first packet of the hole may be half there; its picture is damaged and its number unknown.
    times = np.round(recording.time_s / 0.04).astype(int)
    assert (np.array(got) == times).mean() > 0.97 and times[-1] == 119


def test_index_at_the_end_lost_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match=r"a\.mp4: expected a video that FFmpeg can open"):
        open_recording(cut(write_video(tmp_path / "a.mp4", **FILM), 0.8))


def test_damaged_beginning_costs_only_the_beginning(tmp_path):
    path = write_video(tmp_path / "a.mp4", muxer_options={"movflags": "faststart"}, **FILM)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for pos, size in packets[:3]:
        content[pos + 4 : pos + size] = b"\xff" * (size - 4)
    path.write_bytes(content)
    recording = open_recording(path)
    assert number_in(recording.load_rgb([recording.num_frames - 1])[0]) == 119
    assert recording.time_s[0] == 0


@pytest.mark.parametrize("name", ["sound.wav", "sound.mkv"])
def test_sound_alone_is_no_video(tmp_path, name):
    with pytest.raises(InputError, match="video stream"):
        open_recording(write_sound(tmp_path / name))


def test_a_playlist_is_not_followed(tmp_path, written):
    target = shutil.copy(written("h264.ts"), tmp_path / "inner.ts")
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match="expected a video that FFmpeg can open"):
        open_recording(playlist)
    script = tmp_path / "list.ffconcat"
    script.write_text("ffconcat version 1.0\nfile inner.ts\n")
    with pytest.raises(InputError):
        open_recording(script)
    assert not video_file.detect(script)


def test_a_file_that_goes_away_is_one_clear_error(tmp_path, written):
    path = tmp_path / "gone.mp4"
    shutil.copy(written("h264.mp4"), path)
    recording = open_recording(path)
    path.unlink()
    with pytest.raises(InputError, match=r"gone\.mp4"):
        recording.load_rgb([0])


@pytest.mark.parametrize(
    ("name", "num_frames", "size_hw", "fps"), [("bedroom", 200, (540, 960), 30), ("street_walk", 195, (720, 1280), 15)]
)
def test_real_videos_against_decoding_everything(shared_data, name, num_frames, size_hw, fps):
    path = shared_data / "videos" / f"{name}.mp4"
    recording = open_recording(path)
    assert (recording.num_frames, recording.size_hw, recording.notes) == (num_frames, size_hw, ())
    np.testing.assert_allclose(np.diff(recording.time_s), 1 / fps, atol=1e-6)
    indices = [0, 61, 62, num_frames - 1]
    with av.open(str(path)) as container:
        truth = [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i in indices]
    np.testing.assert_array_equal(recording.load_rgb(indices), truth)
