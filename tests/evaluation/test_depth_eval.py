"""``depth-eval``: estimators whose errors are known beforehand on a made room, and how the command refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from video3d import depth_network
from video3d.cli import run
from video3d.evaluation.depth_eval import DepthReport, EstimatorResult, evaluate_depth
from video3d.evaluation.depth_sheet import depth_sheet
from video3d.types import InputError
from video3d.types.depth import DepthEstimate, DepthKind
from video3d.video import open_recording


class Knows:
    """Looks a frame of the room up and says its depth, changed in a known way."""

    licence = "test-terms"

    def __init__(
        self, room: Path, change: object, kind: DepthKind = "metric_depth", sigma: float | None = None
    ) -> None:
        recording = open_recording(room)
        every = range(recording.num_frames)
        self.name, self.kind, self.sigma, self.change = "knows", kind, sigma, change
        self.rgb, self.depth = recording.load_rgb(every), recording.load_depth_m(every)

    @property
    def metric(self) -> bool:
        return self.kind == "metric_depth"

    def __call__(self, rgb: np.ndarray, k_px: np.ndarray | None = None) -> DepthEstimate:
        assert len(rgb) == 1  # a frame at a time
        assert k_px is not None
        frame = int(np.flatnonzero((self.rgb == rgb).all(axis=(1, 2, 3)))[0])
        values = self.change(self.depth[frame], frame).astype(np.float32)[None]
        sigma = None if self.sigma is None else np.full_like(values, self.sigma)
        return DepthEstimate(values=values, kind=self.kind, log_sigma=sigma)


def judged(room: Path, estimator: Knows, monkeypatch: pytest.MonkeyPatch) -> EstimatorResult:
    monkeypatch.setattr(depth_network, "load_depth", lambda name: estimator)
    report = evaluate_depth(room, ["made/up"], num_frames=5, isolate=False)
    return report.results[0]


def rows(result: EstimatorResult) -> dict[str, float]:
    return {row.alignment: row.errors.abs_rel for row in result.rows}


def test_a_metric_network_is_judged_three_ways(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(room, Knows(room, lambda depth, _: 1.3 * depth, sigma=0.2), monkeypatch)
    assert list(rows(found)) == ["metric", "median", "scale_shift"]
    assert rows(found)["metric"] == pytest.approx(0.3, abs=0.01)  # a little less where 10 m caps it
    assert rows(found)["median"] < 1e-4
    assert rows(found)["scale_shift"] < 1e-4
    assert found.scale == pytest.approx(1 / 1.3, rel=1e-3)
    assert found.scale_spread == pytest.approx(0, abs=1e-3)
    assert found.licence == "test-terms"
    assert found.peak_memory_bytes is None  # it shared this process
    assert found.calibration is not None
    assert len(found.calibration) == 10
    assert found.calibration[0].stated == pytest.approx(0.2, rel=1e-3)
    assert found.calibration[0].found == pytest.approx(np.log(1.3), rel=0.01)
    assert len(found.shown) == 4


def test_a_disparity_network_is_judged_by_scale_and_shift(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(room, Knows(room, lambda depth, i: (5 + i) / depth - i, "inverse_depth"), monkeypatch)
    assert rows(found) == {"scale_shift": pytest.approx(0, abs=1e-3)}
    assert found.scale is None
    assert found.calibration is None
    assert found.consistency is not None
    assert found.consistency.median_rel > 0.05  # each frame fits, the clip does not: one fit for all frames shows it


def test_flicker_is_seen_by_consistency_and_scale(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steady = judged(room, Knows(room, lambda depth, _: depth), monkeypatch)
    flicker = judged(room, Knows(room, lambda depth, i: depth * (1.2 if i % 2 else 1.0)), monkeypatch)
    assert steady.consistency is not None
    assert flicker.consistency is not None
    assert steady.consistency.median_rel < 0.03 < flicker.consistency.median_rel
    assert steady.scale_spread == pytest.approx(0, abs=1e-4)
    assert flicker.scale_spread is not None
    assert flicker.scale_spread > 0.05


def test_silence_is_counted_and_does_not_vote(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(depth: np.ndarray, frame: int) -> np.ndarray:
        said = depth.copy()
        said[: len(said) // 2] = np.nan
        return said if frame else np.full_like(depth, np.nan)

    found = judged(room, Knows(room, half), monkeypatch)
    assert found.rows[0].num_images == 4  # nothing was said about frame 0
    assert found.rows[0].errors.coverage == pytest.approx(0.5, abs=0.01)
    assert found.rows[0].errors.abs_rel < 1e-4
    nothing = judged(room, Knows(room, lambda depth, _: np.full_like(depth, np.nan)), monkeypatch)
    assert nothing.rows == ()
    assert nothing.consistency is None


@pytest.fixture(scope="module")
def oracles(room: Path) -> DepthReport:
    return evaluate_depth(room, ["constant", "position"], num_frames=8, isolate=False)


def test_the_oracles_are_what_they_say(room: Path, oracles: DepthReport) -> None:
    recording = open_recording(room)
    truth = recording.load_depth_m(list(oracles.frame_index))
    constant, position = oracles.results
    expected = np.mean([np.mean(np.abs(np.median(truth) - one) / one) for one in truth])
    assert rows(constant)["metric"] == pytest.approx(expected, rel=0.02)
    assert "oracle" in constant.notes[0]
    # Two frames make a quarter of eight: the map of the first two knows the last six.
    place = np.median(truth[2:], axis=0)
    alone = np.mean(np.abs(place - truth[0]) / truth[0])
    shown = position.shown[0].error_rel
    assert float(np.nanmean(shown)) == pytest.approx(alone, rel=0.1)
    assert oracles.truth_consistency is not None
    assert oracles.truth_consistency.median_rel < 0.02


def test_the_sheet_holds_every_frame_and_estimator(oracles: DepthReport) -> None:
    sheet = depth_sheet(oracles)
    high, wide = oracles.shown_rgb[0].shape[:2]
    assert sheet.height > 4 * high
    assert sheet.width > 6 * wide  # colour, measured, two estimators with two columns each
    pixels = np.asarray(sheet)
    first = pixels[44 : 44 + high, 76 : 76 + wide]
    np.testing.assert_array_equal(first, oracles.shown_rgb[0])
    orange = (pixels == [90, 0, 20]).all(axis=-1)
    assert orange.any()  # the far end of the error legend


def test_the_command_prints_the_published_shape_and_writes_it(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "judged"
    argv = ["depth-eval", str(room), "--estimators", "constant,position", "--frames", "4", "--out", str(out), "--json"]
    assert run(argv) == 0
    shape = json.loads(capsys.readouterr().out)
    assert shape == json.loads((out / "report.json").read_text())
    assert sorted(p.name for p in out.iterdir()) == ["report.json", "sheet.jpg"]
    with Image.open(out / "sheet.jpg") as sheet:
        assert sheet.width > 400
    assert {"source", "frames", "poses", "max_depth_m", "truth_consistency", "estimators"} == set(shape)
    assert [one["name"] for one in shape["estimators"]] == ["constant", "position"]
    one = shape["estimators"][0]
    assert set(one["errors"]) == {"metric", "median", "scale_shift"}
    measures = {"rmse_m", "abs_rel", "delta1", "delta2", "delta3", "log10", "silog", "coverage", "num_images"}
    assert measures <= set(one["errors"]["metric"])
    assert one["licence"] == "none needed"
    assert one["peak_memory_bytes"] > 2**24  # it ran in a process of its own
    assert one["calibration"] is None
    assert run([*argv[:4], "--frames", "4"]) == 0
    text = capsys.readouterr().out
    assert "abs_rel" in text
    assert "oracle" in text
    refused = run(argv)
    assert refused == 2
    assert "expected a new or empty folder" in capsys.readouterr().err


def test_video_depth_without_a_prior_runs_and_is_judged(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["depth-eval", str(room), "--estimators", "video:none", "--frames", "6", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["estimators"]
    assert found["name"] == "video:none"
    assert found["kind"] == "metric_depth"
    assert found["seconds_per_frame"] > 0


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--estimators", ""], "--estimators: expected names among nano"),
        (["--estimators", "constant,,position"], "got an empty name"),
        (["--estimators", "midas"], "got midas"),
        (["--estimators", "constant,constant"], "got constant twice"),
        (["--frames", "0"], "--frames: expected a number from 1 to 1024"),
        (["--estimators", "position", "--frames", "1"], "expected at least 2 for position"),
        (["--poses", "known"], "--poses: expected given or estimated"),
        (["--max-depth", "-1"], "--max-depth: expected metres"),
        (["--max-depth", "0.05"], "got hardly a pixel of it"),
        (["--estimators", "constant", "--out", "no/such/place"], "expected a folder to be made in an existing one"),
    ],
)
def test_refusals_are_one_line(room: Path, argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = argv if "--estimators" in argv else [*argv, "--estimators", "constant"]
    assert run(["depth-eval", str(room), *given]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert says in line


def test_a_recording_without_depth_cannot_judge(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(room / "images", tmp_path / "images")
    assert run(["depth-eval", str(tmp_path / "images"), "--estimators", "constant"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "expected a recording with measured depth, to judge by, got none" in line


def test_a_network_that_cannot_be_loaded_is_named_through_its_process(room: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json, preprocessor_config\.json and safetensors weights"):
        evaluate_depth(room, [str(tmp_path)], num_frames=2)


def test_a_network_from_a_folder_is_judged_in_its_own_process(room: Path, tmp_path: Path) -> None:
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    DPTForDepthEstimation(config).save_pretrained(tmp_path)
    settings = {"image_processor_type": "DPTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (found,) = evaluate_depth(room, [str(tmp_path)], num_frames=3).results
    assert (found.kind, found.metric, found.licence) == ("inverse_depth", False, "apache-2.0")
    assert list(rows(found)) == ["scale_shift"]
    assert found.rows[0].num_images == 3
    assert found.peak_memory_bytes is not None
    assert found.peak_memory_bytes > 2**27  # torch is in it
    assert found.load_s > 0
