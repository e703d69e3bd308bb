"""Depth-aware attention as the number of tokens grows: the formula as it is written, and the ways that do not write it.

    python benchmarks/depth_attention.py                     # a CPU; 12 heads of 64, forward
    python benchmarks/depth_attention.py --backward --tokens 256 1024 4096 --json out.json
    python benchmarks/depth_attention.py --device cuda --tokens 1024 4096 16384

``naive`` writes the scores (h n n) and the bias whole; ``sdpa`` the bias; ``blocks`` a block of it at a time; ``flex`` compiles
the bias into the kernel (forward on a CPU, both ways on a GPU). Every row runs in a process of its own, whose peak memory over
what it held before is given. ``ratio`` is naive's time over this way's; ``off`` the largest difference from naive in float64.
Exact attention is bounded by its 4·h·n²·c operations; ``GFLOP/s`` says how near it comes.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HEADS, WIDTH = 12, 64
_MOST_NAIVE_F64 = 2048


def measure(way: str, tokens: int, *, backward: bool, device: str, repeats: int) -> dict[str, float]:
    import torch

    from video3d.model import attention

    torch.manual_seed(0)
    query, key, value = (torch.randn(1, HEADS, tokens, WIDTH, device=device, requires_grad=backward) for _ in range(3))
    depth = (torch.rand(1, tokens, device=device) * 5 + 0.5).masked_fill(
        torch.rand(1, tokens, device=device) < 0.1, torch.nan
    )
    slope = (2.0 ** (-8 * torch.arange(1, HEADS + 1, device=device) / HEADS)).requires_grad_(backward)

    def run() -> torch.Tensor:
        if way == "flex" and device == "cpu":  # the model itself compiles on a GPU only
            out = compiled(query, key, value)
        else:
            out = attention.depth_aware_attention(query, key, value, depth, slope, implementation=way)  # pyright: ignore
        if backward:
            out.square().sum().backward()
        return out

    if way == "flex" and device == "cpu":
        from torch.nn.attention.flex_attention import flex_attention

        flex = torch.compile(flex_attention)
        known, filled = depth.isfinite(), depth.nan_to_num(0.0)

        def score(s, b, h, q, k):
            return s - slope[h] * torch.where(known[b, q] & known[b, k], (filled[b, q] - filled[b, k]).abs(), 0.0)

        def compiled(q, k, v):
            return flex(q, k, v, score_mod=score)

    before = _held(device)
    with torch.set_grad_enabled(backward):
        out = run()
        peak = _peak(device) - before
        times = []
        for _ in range(repeats):
            _wait(device)
            begin = time.perf_counter()
            run()
            _wait(device)
            times.append(time.perf_counter() - begin)
    off = float("nan")
    if tokens <= _MOST_NAIVE_F64:
        parts = [part.detach().double() for part in (query, key, value)]
        bias = attention.depth_bias(depth.float(), depth.float(), slope.detach().float()).double()
        exact = (parts[0] @ parts[1].transpose(-1, -2) / WIDTH**0.5 + bias).softmax(-1) @ parts[2]
        off = float((out.detach().double() - exact).abs().max())
    return {"seconds": statistics.median(times), "peak_mb": peak / 1e6, "off": off}


def _wait(device: str) -> None:
    import torch

    if device != "cpu":
        torch.cuda.synchronize()


def _held(device: str) -> float:
    import torch

    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peak(device: str) -> float:
    import torch

    return (
        torch.cuda.max_memory_allocated()
        if device != "cpu"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[256, 512, 1024, 2048, 4096, 8192])
    parser.add_argument("--ways", nargs="+", default=["naive", "sdpa", "blocks", "flex"])
    parser.add_argument("--backward", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = {"backward": arguments.backward, "device": arguments.device, "repeats": arguments.repeats}
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]), **given)))
        return
    rows = []
    print(
        f"{HEADS} heads of {WIDTH}, float32, {arguments.device}, {'forward and backward' if arguments.backward else 'forward'}\n"
    )
    print("| tokens | way | ms | ratio | GFLOP/s | peak MB | off |\n|---|---|---|---|---|---|---|")
    for tokens in arguments.tokens:
        first = None
        for way in arguments.ways:
            if way == "flex" and arguments.backward and arguments.device == "cpu":
                continue
            command = [sys.executable, __file__, "--one", way, str(tokens), "--device", arguments.device]
            command += ["--repeats", str(arguments.repeats), *(["--backward"] if arguments.backward else [])]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"| {tokens} | {way} | failed: {done.stderr.strip().splitlines()[-1][:80]} |")
                continue
            row = json.loads(done.stdout.strip().splitlines()[-1])
            first = first or row["seconds"]
            flops = 4 * HEADS * tokens**2 * WIDTH * (3.5 if arguments.backward else 1)
            rows.append({"tokens": tokens, "way": way, "ratio": first / row["seconds"], **row})
            print(
                f"| {tokens} | {way} | {1e3 * row['seconds']:.1f} | {first / row['seconds']:.2f} | "
                f"{flops / row['seconds'] / 1e9:.0f} | {row['peak_mb']:.0f} | {row['off']:.1e} |",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps({**given, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
