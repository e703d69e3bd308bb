"""The small models of the contract's tests, and a small data set: for everything that is examined."""

import pytest
from small_clips import write_small
from small_models import make_model, processor, tokenizer

from video3d.data.row import Row
from video3d.pipeline import Video3D

__all__ = ["make_model", "processor", "tokenizer"]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Eight clips of three frames of 32 x 40 px with two choices each; the test split has two of them."""
    return write_small(tmp_path_factory.mktemp("data") / "qa", range(8))


@pytest.fixture
def engine(make_model, processor):
    """The path around a model that looks, with parts to switch off; it says no more than a few words."""
    model = make_model(depth_encoding=True, camera_encoding=True, temporal_layers=1, temporal_heads=2)
    processor.geometry = ["depth", "camera", "time"]
    return Video3D.around(model, processor)


@pytest.fixture
def make_row():
    """A row by its answer and words."""

    def make(
        answer: dict, text: str, *, subtype: str = "layout.size", question: str = "?", number: int = 0, scene: str = "r"
    ) -> Row:
        return Row(
            row_id=f"clip-{number}", clip_id="clip", scene_id=scene, source="simulated", licence="CC0-1.0", split="test",
            domain="indoor", type=subtype.split(".")[0], subtype=subtype, question={"en": question}, answer=answer,
            answer_text={"en": text},
        )  # fmt: skip

    return make
