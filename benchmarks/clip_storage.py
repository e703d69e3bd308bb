"""How clips are stored: four forms side by side, the same clips in each, read back whole and checked.

    python benchmarks/clip_storage.py DATASET [--clips 60]

Forms: Parquet as this project writes it (JPEG, 16-bit PNG, a row group a clip), webdataset (a tar of the same bytes), Lance (the same
bytes), and LeRobot's form (colour as H.264 video files beside Parquet; depth stays PNG). Printed for each: bytes a clip, clips written a
second, clips read a second in order and at random (every frame decoded to arrays), and what colour lost (PSNR) and depth lost (mm).
"""

import argparse
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from video3d.data.clip_codec import clip_schema, decode_clip, encode_clip
from video3d.data.store import open_dataset
from video3d.data.truth import ClipData


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--clips", type=int, default=60)
    args = parser.parse_args()
    dataset = open_dataset(args.dataset)
    clips = [dataset.clip(clip_id) for clip_id in dataset.clip_ids("train")[: args.clips]]
    print(f"{len(clips)} clips of {clips[0].rgb.shape[:3]}\n")
    print("| form | KB a clip | written a s | in order a s | at random a s | colour PSNR dB | depth off mm |")
    print("|---|---|---|---|---|---|---|")
    for name, form in FORMS.items():
        folder = Path(tempfile.mkdtemp(prefix="clip-storage-"))
        try:
            print(f"| {name} | " + " | ".join(_measured(clips, form, folder)) + " |", flush=True)
        finally:
            shutil.rmtree(folder)


Form = tuple[
    Callable[[list[ClipData], Path], None], Callable[[Path], Iterator[ClipData]], Callable[[Path, int], ClipData]
]


def _measured(clips: list[ClipData], form: Form, folder: Path) -> list[str]:
    write, in_order, at = form
    began = time.perf_counter()
    write(clips, folder)
    wrote = time.perf_counter() - began
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    began = time.perf_counter()
    back = list(in_order(folder))
    ordered = time.perf_counter() - began
    picks = np.random.default_rng(0).permutation(len(clips))
    began = time.perf_counter()
    for index in picks:
        at(folder, int(index))
    random = time.perf_counter() - began
    psnr = np.mean([_psnr(a.rgb, b.rgb) for a, b in zip(clips, back, strict=True)])
    off = max(float(np.nanmax(np.abs(a.depth_m - b.depth_m))) for a, b in zip(clips, back, strict=True))
    num = len(clips)
    return [
        f"{size / num / 1e3:.0f}",
        *(f"{num / t:.1f}" for t in (wrote, ordered, random)),
        f"{psnr:.1f}",
        f"{off * 1e3:.2f}",
    ]


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(((a.astype(float) - b.astype(float)) ** 2).mean())
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


# ---- Parquet, as the project does it ------------------------------------------------------------------------------------


def _write_parquet(clips: list[ClipData], folder: Path) -> None:
    from video3d.data.store import write_shard

    write_shard(folder / "clips.parquet", clips)


def _parquet_rows(folder: Path) -> Iterator[ClipData]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "clips.parquet") as shard:
        for group in range(shard.num_row_groups):
            yield decode_clip(shard.read_row_group(group).to_pylist()[0])


def _parquet_at(folder: Path, index: int) -> ClipData:
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "clips.parquet") as shard:
        return decode_clip(shard.read_row_group(index).to_pylist()[0])


# ---- webdataset ---------------------------------------------------------------------------------------------------------


def _write_tar(clips: list[ClipData], folder: Path) -> None:
    import webdataset

    with webdataset.TarWriter(str(folder / "clips.tar")) as out:
        for clip in clips:
            row = encode_clip(clip)
            sample: dict[str, Any] = {"__key__": row["clip_id"].replace(".", "-")}
            for frame, image in enumerate(row.pop("rgb")):
                sample[f"{frame:03d}.jpg"] = image["bytes"]
            for column in ("depth_mm", "instance"):
                for frame, image in enumerate(row.pop(column)):
                    sample[f"{frame:03d}.{column}.png"] = image
            sample["truth.json"] = json.dumps(row).encode()
            out.write(sample)


def _tar_clip(sample: dict[str, Any]) -> ClipData:
    row = json.loads(sample["truth.json"])
    num = len(row["times_s"])
    row["rgb"] = [{"bytes": sample[f"{f:03d}.jpg"], "path": None} for f in range(num)]
    for column in ("depth_mm", "instance"):
        row[column] = [sample[f"{f:03d}.{column}.png"] for f in range(num)]
    return decode_clip(row)


def _tar_rows(folder: Path) -> Iterator[ClipData]:
    import webdataset

    for sample in webdataset.WebDataset(str(folder / "clips.tar"), shardshuffle=False):
        yield _tar_clip(sample)


def _tar_at(folder: Path, index: int) -> ClipData:
    import tarfile

    # A tar has no index: the members before the wanted ones are skipped over, header by header.
    with tarfile.open(folder / "clips.tar") as tar:
        sample: dict[str, Any] = {}
        seen: list[str] = []
        for member in tar:
            key, name = member.name.split(".", 1)
            if key not in seen:
                seen.append(key)
            if len(seen) > index + 1:
                break
            if len(seen) == index + 1:
                data = tar.extractfile(member)
                assert data is not None
                sample[name] = data.read()
        return _tar_clip(sample)


# ---- Lance --------------------------------------------------------------------------------------------------------------


def _write_lance(clips: list[ClipData], folder: Path) -> None:
    import lance
    import pyarrow as pa

    schema = clip_schema()
    batches = (pa.RecordBatch.from_pylist([encode_clip(clip)], schema=schema) for clip in clips)
    lance.write_dataset(batches, str(folder / "clips.lance"), schema=schema)


def _lance_rows(folder: Path) -> Iterator[ClipData]:
    import lance

    for batch in lance.dataset(str(folder / "clips.lance")).to_batches(batch_size=1):
        for row in batch.to_pylist():
            yield decode_clip(row)


def _lance_at(folder: Path, index: int) -> ClipData:
    import lance

    return decode_clip(lance.dataset(str(folder / "clips.lance")).take([index]).to_pylist()[0])


# ---- LeRobot's form: video files beside Parquet ---------------------------------------------------------------------------


def _write_video(clips: list[ClipData], folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = clip_schema()
    with pq.ParquetWriter(folder / "clips.parquet", schema, compression="zstd") as out:
        for index, clip in enumerate(clips):
            row = encode_clip(clip)
            row["rgb"] = []
            out.write_table(pa.Table.from_pylist([row], schema=schema), row_group_size=1)
            (folder / f"{index:06d}.mp4").write_bytes(_h264(clip.rgb))


def _h264(rgb: np.ndarray) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "18", "preset": "medium"})
        stream.height, stream.width, stream.pix_fmt, stream.thread_count = rgb.shape[1], rgb.shape[2], "yuv420p", 1
        for frame in rgb:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def _video_clip(row: dict[str, Any], path: Path) -> ClipData:
    import av

    with av.open(str(path)) as container:
        rgb = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    held = decode_clip(row, frames=())
    depth, instance = _pngs(row)
    return ClipData(truth=held.truth, rgb=rgb, depth_m=depth, instance=instance)


def _pngs(row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    from video3d.video.images import read_depth_png_m

    depth = np.stack([read_depth_png_m(data, unknown=(0,)) for data in row["depth_mm"]])
    instance = np.stack([np.asarray(Image.open(io.BytesIO(data))).astype(np.uint16) for data in row["instance"]])
    return depth, instance


def _video_rows(folder: Path) -> Iterator[ClipData]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "clips.parquet") as shard:
        for group in range(shard.num_row_groups):
            yield _video_clip(shard.read_row_group(group).to_pylist()[0], folder / f"{group:06d}.mp4")


def _video_at(folder: Path, index: int) -> ClipData:
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "clips.parquet") as shard:
        return _video_clip(shard.read_row_group(index).to_pylist()[0], folder / f"{index:06d}.mp4")


FORMS: dict[str, Form] = {
    "Parquet (ours)": (_write_parquet, _parquet_rows, _parquet_at),
    "webdataset": (_write_tar, _tar_rows, _tar_at),
    "Lance": (_write_lance, _lance_rows, _lance_at),
    "H.264 + Parquet (LeRobot's form)": (_write_video, _video_rows, _video_at),
}

if __name__ == "__main__":
    main()
