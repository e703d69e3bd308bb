"""A scene that grows: tokens of one frame after another, in memory that follows the scene and not the video.

Only sums are kept, one row a voxel, and sums over voxels add up to sums over coarser voxels. So the result is that of
``merge_by_voxel`` on all frames at once, whenever and however often it is asked for. What does not add up is the number of
distinct frames: a frame that saw two voxels saw their common parent once. Under a cap it is therefore counted for the
voxels of all levels from the start, which costs a third more rows of two integers on surfaces.

Under a cap, the voxels' side doubles as soon as their parents would be too many (``octree.level_under``), and what is finer
is gone: at most 8 times as many rows as the cap has tokens, about 4 times on surfaces.
"""

import math

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from video3d.model.octree import as_nodes, give_way, morton_codes, nodes_above
from video3d.model.tokens import (
    MAX_UNPLACED,
    GridTokens,
    MergedTokens,
    check_caps,
    has_place,
    reading_order,
    reserved_unplaced,
    view_weight,
)


class SceneAccumulator:
    """Merges tokens by voxel, a frame at a time. Without gradients.

    Args:
        voxel_m: side of a voxel in metres.
        max_tokens: most tokens that ``tokens`` gives; ``None``: one for every voxel that was seen.
        max_unplaced: most tokens without a place, see ``tokens.plan_merge``.

    Raises:
        ValueError: a side, cap or number out of range.

    >>> scene = SceneAccumulator(voxel_m=0.2)
    >>> here = torch.full((1, 3), 0.1)
    >>> for content, time_s in ((1.0, 0.0), (3.0, 0.5)):
    ...     scene.add(torch.full((1, 4), content), here, torch.ones(1), time_s=time_s)
    >>> tokens = scene.tokens()
    >>> tokens.content[0, 0].tolist(), tokens.num_views.tolist(), tokens.seen_s.tolist()
    ([2.0, 2.0, 2.0, 2.0], [[2]], [[[0.0, 0.5]]])
    """

    def __init__(self, *, voxel_m: float, max_tokens: int | None = None, max_unplaced: int = MAX_UNPLACED) -> None:
        check_caps(voxel_m, max_tokens, max_unplaced)
        self.finest_m, self.max_tokens = voxel_m, max_tokens
        self._most_unplaced = reserved_unplaced(max_tokens, max_unplaced)
        self._level = self._span_level = 0
        self._first_frame: int | None = None
        self._last_frame = -1
        self._num_frames = 0
        self._voxels: _Sums | None = None
        self._spans: _Sums | None = None
        self._nodes: Int64[Tensor, "q"] | None = None
        self._node_views: Int64[Tensor, "q"] | None = None
        self._dtype = torch.float32

    @property
    def num_frames(self) -> int:
        """Frames added."""
        return self._num_frames

    @property
    def num_voxels(self) -> int:
        """Voxels held in memory, at the present side."""
        return 0 if self._voxels is None else self._voxels.num

    @property
    def voxel_m(self) -> float:
        """Present side of the voxels held, metres; tokens under a cap can be of twice the side."""
        return self.finest_m * 2**self._level

    @property
    def num_bytes(self) -> int:
        """Memory held by sums and counts."""
        sums = sum(one.num_bytes for one in (self._voxels, self._spans) if one is not None)
        return sums + sum(one.nbytes for one in (self._nodes, self._node_views) if one is not None)

    @torch.no_grad()
    def add(
        self,
        content: Float[Tensor, "m c"],
        points_world: Float32[Tensor, "m 3"],
        weight: Float32[Tensor, "m"],
        distance_m: Float32[Tensor, "m"] | None = None,
        time_s: float = math.nan,
        *,
        frame: int | None = None,
    ) -> None:
        """Add the tokens of one frame.

        Args:
            content: what each token shows; of the width, device and dtype of all frames before.
            points_world: metres, NaN where unknown.
            weight: share of known depth; 0 or NaN: no place.
            distance_m: from the camera, metres; NaN or ``None`` where unknown.
            time_s: of the frame, seconds; NaN where unknown.
            frame: its number, larger than those before; ``None``: the next.

        Raises:
            InputError: a point lies beyond the grid of voxels. The scene is as it was before.
            ValueError: a frame that is not later than the last one, or content of another width.
        """
        number = self._last_frame + 1 if frame is None else frame
        if number <= self._last_frame and self._num_frames:
            raise ValueError(f"frame: expected a number above {self._last_frame}, got {number}")
        if self._voxels is not None and content.shape[1] != self._voxels.content.shape[1]:
            raise ValueError(f"content: expected width {self._voxels.content.shape[1]}, got {content.shape[1]}")
        placed = has_place(points_world, weight)
        codes = morton_codes(points_world[placed], self.finest_m) >> 3 * self._level  # may raise: nothing changed yet
        if self._voxels is None or self._spans is None:
            self._voxels, self._spans = (_Sums(content.shape[1], content.device) for _ in range(2))
            self._dtype, self._first_frame = content.dtype, number
        from_first = number - (self._first_frame or 0)
        self._last_frame, self._num_frames = number, self._num_frames + 1
        counts = view_weight(weight, distance_m, placed)
        self._voxels.add(codes, content[placed], points_world[placed], counts[placed], from_first, time_s)
        self._count_views(torch.unique(codes))
        if self._most_unplaced and not bool(placed.all()):
            lost = ~placed
            span = codes.new_full((int(lost.sum()),), from_first >> self._span_level)
            nowhere = torch.zeros_like(points_world[lost])
            self._spans.add(span, content[lost], nowhere, counts[lost], from_first, time_s)
        self._coarsen(self._voxels, self._spans)

    def _count_views(self, codes: Int64[Tensor, "v"]) -> None:
        """One more frame for these voxels and, where they may have to merge later, for all that hold them."""
        nodes = as_nodes(codes, self._level) if self.max_tokens is None else nodes_above(codes, self._level)
        views = torch.ones_like(nodes)
        if self._nodes is not None and self._node_views is not None:
            nodes, views = torch.cat([self._nodes, nodes]), torch.cat([self._node_views, views])
        merged, node_of = torch.unique(nodes, return_inverse=True)
        self._nodes, self._node_views = merged, torch.zeros_like(merged).index_add(0, node_of, views)

    def _coarsen(self, voxels: "_Sums", spans: "_Sums") -> None:
        while spans.num > max(self._most_unplaced, 1):
            self._span_level += 1
            spans.merge(spans.keys >> 1)
        if self.max_tokens is None or self._nodes is None or self._node_views is None:
            return
        while len(torch.unique(voxels.keys >> 3)) > self.max_tokens - self._most_unplaced:
            self._level += 1
            voxels.merge(voxels.keys >> 3)
            kept = self._nodes <= as_nodes(voxels.keys, self._level).max()  # a finer node is a larger number
            self._nodes, self._node_views = self._nodes[kept], self._node_views[kept]

    def _views(self, nodes: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
        if self._nodes is None or self._node_views is None:
            return torch.zeros_like(nodes)
        return self._node_views[torch.searchsorted(self._nodes, nodes)]

    @torch.no_grad()
    def tokens(self) -> MergedTokens:
        """The scene as it stands: what ``merge_by_voxel`` gives for all frames so far, as a batch of one.

        Raises:
            ValueError: no frame has been added.
        """
        if self._voxels is None or self._spans is None:
            raise ValueError("tokens: expected at least one frame, got none; add one first")
        voxels, spans = self._voxels.sorted(), self._spans.sorted()
        num_views = self._views(as_nodes(voxels.keys, self._level))
        if self.max_tokens is not None:
            merged = give_way(voxels.keys, self.max_tokens - spans.num)
            above = self._views(as_nodes(voxels.keys >> 3, self._level + 1))
            target = torch.where(merged, voxels.keys & ~7, voxels.keys)
            first_of = torch.ones_like(merged)
            first_of[1:] = target[1:] != target[:-1]
            num_views = torch.where(merged, above, num_views)[first_of]
            voxels.merge(target)
        num_views = torch.cat([num_views, spans.num_views])
        order = reading_order(torch.cat([voxels.first, spans.first]), torch.cat([voxels.keys, spans.keys + (1 << 61)]))
        points = voxels.points / voxels.weight[:, None]
        points = torch.cat([points, torch.full_like(spans.points, torch.nan)])[order].float()
        content = torch.cat([one.content / one.weight[:, None] for one in (voxels, spans)])[order]
        seen = torch.cat([voxels.seen, spans.seen])[order]
        return MergedTokens(
            content=content[None].to(self._dtype),
            points_world=points[None],
            mask=torch.ones_like(order, dtype=torch.bool)[None],
            num_views=num_views[order].int()[None],
            seen_s=torch.where(torch.isfinite(seen), seen, torch.nan)[None],
        )

    def add_frames(self, tokens: GridTokens) -> None:
        """Add all frames of one scene's tokens, in the order of their numbers.

        Raises:
            InputError: as ``add``; frames before the one at fault are added.
            ValueError: more than one scene, or as ``add``.
        """
        if tokens.mask.shape[0] != 1:
            raise ValueError(f"tokens: expected one scene, got {tokens.mask.shape[0]}")
        for number in torch.unique(tokens.frame[tokens.mask]).tolist():
            here = (tokens.frame[0] == number) & tokens.mask[0]
            times = torch.full((1,), torch.nan) if tokens.time_s is None else tokens.time_s[0, here][:1]
            distance = None if tokens.distance_m is None else tokens.distance_m[0, here]
            points, weight = tokens.points_world[0, here], tokens.weight[0, here]
            self.add(tokens.content[0, here], points, weight, distance, float(times[0]), frame=number)


class _Sums:
    """Weighted sums by integer key, in buffers that double when they are full."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.num = 0
        self._keys = torch.zeros(0, dtype=torch.int64, device=device)
        self._weight = torch.zeros(0, dtype=torch.float64, device=device)
        # In float32, a mean over thousands of frames would lose its fifth digit.
        self._content = torch.zeros(0, width, dtype=torch.float64, device=device)
        self._points = torch.zeros(0, 3, dtype=torch.float64, device=device)
        self._first = torch.zeros(0, dtype=torch.int64, device=device)
        self._num_views = torch.zeros(0, dtype=torch.int64, device=device)
        self._seen = torch.zeros(0, 2, device=device)

    @property
    def keys(self) -> Int64[Tensor, "v"]:
        """Of every row."""
        return self._keys[: self.num]

    @property
    def weight(self) -> Float64[Tensor, "v"]:
        """Sum of weights."""
        return self._weight[: self.num]

    @property
    def content(self) -> Float64[Tensor, "v c"]:
        """Sum of weight times content."""
        return self._content[: self.num]

    @property
    def points(self) -> Float64[Tensor, "v 3"]:
        """Sum of weight times point, metres."""
        return self._points[: self.num]

    @property
    def first(self) -> Int64[Tensor, "v"]:
        """First frame."""
        return self._first[: self.num]

    @property
    def num_views(self) -> Int64[Tensor, "v"]:
        """Frames; right after ``merge`` only where no frame is in two rows that merge."""
        return self._num_views[: self.num]

    @property
    def seen(self) -> Float32[Tensor, "v 2"]:
        """First and last time in seconds; infinite where none is known."""
        return self._seen[: self.num]

    @property
    def _buffers(self) -> tuple[Tensor, ...]:
        return self._keys, self._weight, self._content, self._points, self._first, self._num_views, self._seen

    @property
    def num_bytes(self) -> int:
        """Memory of all buffers."""
        return sum(buffer.nbytes for buffer in self._buffers)

    def _set(self, buffers: list[Tensor], num: int) -> None:
        self._keys, self._weight, self._content, self._points, self._first, self._num_views, self._seen = buffers
        self.num = num

    def add(
        self,
        keys: Int64[Tensor, "m"],
        content: Float[Tensor, "m c"],
        points: Float32[Tensor, "m 3"],
        weight: Float64[Tensor, "m"],
        frame: int,
        time_s: float,
    ) -> None:
        """Add what one frame shows."""
        if not len(keys):
            return
        found, group = torch.unique(keys, return_inverse=True)
        row = self._rows(found, frame)
        rows = row[group]
        self._weight.index_add_(0, rows, weight)
        self._content.index_add_(0, rows, content.double() * weight[:, None])
        self._points.index_add_(0, rows, points.double() * weight[:, None])
        self._num_views[row] += 1
        if math.isfinite(time_s):
            time = torch.tensor(time_s, dtype=torch.float32, device=row.device)
            self._seen[row] = torch.stack([self._seen[row, 0].minimum(time), self._seen[row, 1].maximum(time)], -1)

    def _rows(self, keys: Int64[Tensor, "v"], frame: int) -> Int64[Tensor, "v"]:
        """Row of every key, a new one where there is none."""
        ordered, place = self.keys.sort()
        at = torch.searchsorted(ordered, keys)
        known = torch.zeros_like(keys, dtype=torch.bool)
        row = torch.zeros_like(keys)
        if self.num:
            at = at.clamp_max(self.num - 1)
            known, row = ordered[at] == keys, place[at]
        more = int((~known).sum())
        self._reserve(self.num + more)
        row[~known] = torch.arange(self.num, self.num + more, device=keys.device)
        new = row[~known]
        self._keys[new], self._first[new] = keys[~known], frame
        self._seen[new] = torch.tensor([torch.inf, -torch.inf], device=keys.device)
        self.num += more
        return row

    def _reserve(self, num: int) -> None:
        if num > len(self._keys):
            room = max(num, 2 * len(self._keys))
            self._set(
                [torch.cat([one, one.new_zeros(room - len(one), *one.shape[1:])]) for one in self._buffers], self.num
            )

    def merge(self, keys: Int64[Tensor, "v"]) -> None:
        """Give every row a new key, and make those with the same key one. Rows are sorted by key then."""
        found, group = torch.unique(keys, return_inverse=True)
        num = len(found)

        def summed(rows: Tensor) -> Tensor:
            return rows.new_zeros(num, *rows.shape[1:]).index_add(0, group, rows)

        first = torch.full_like(found, torch.iinfo(torch.int64).max).scatter_reduce(0, group, self.first, "amin")
        start = self.seen.new_full((num,), torch.inf).scatter_reduce(0, group, self.seen[:, 0], "amin")
        end = self.seen.new_full((num,), -torch.inf).scatter_reduce(0, group, self.seen[:, 1], "amax")
        seen = torch.stack([start, end], -1)
        sums = [summed(one) for one in (self.weight, self.content, self.points)]
        self._set([found, *sums, first, summed(self.num_views), seen], num)

    def sorted(self) -> "_Sums":
        """A copy whose rows are sorted by key."""
        order = torch.argsort(self.keys)
        copy = _Sums(self.content.shape[1], self.keys.device)
        copy._set([one[: self.num][order] for one in self._buffers], self.num)
        return copy
