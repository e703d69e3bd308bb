"""The small models of the contract's tests, and a small data set: for everything that trains."""

import pytest
from small_clips import small_clip, small_row
from small_models import make_clip, make_model, tokenizer

__all__ = ["make_clip", "make_model", "tokenizer"]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Six clips to learn from and two to be judged on, of three frames of 32 x 40 px; two questions each."""
    from video3d.data.store import open_dataset, write_manifest, write_rows, write_shard

    root = tmp_path_factory.mktemp("data") / "qa"
    for split, numbers in (("train", range(6)), ("test", range(6, 8))):
        clips = [small_clip(number, split=split) for number in numbers]
        write_shard(root / "clips" / f"{split}-00000.parquet", clips)
        rows = [small_row(clip, number) for clip in clips for number in range(2)]
        asked = ({"en": "Which is nearer?"}, {"en": "Which is farther?"})
        rows = [row.model_copy(update={"question": asked[at % 2]}) for at, row in enumerate(rows)]
        write_rows(root / f"{split}.jsonl", rows)
    write_manifest(root, {"command": "test"})
    return open_dataset(root)
