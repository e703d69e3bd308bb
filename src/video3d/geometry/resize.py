"""Step 4: bring pixels, depth and intrinsics to one size, together and once.

Notable: colour is filtered, depth is not. A filtered depth map has surfaces where there are none: between a chair and
the wall behind it, and around every hole. Depth is sampled at the centre of each new pixel instead:

- where the four depths around that place are known and belong to one surface (within ``_ONE_SURFACE`` of each other),
  their *inverse* is interpolated: inverse depth is affine over the image of a plane, so a plane stays that plane;
- anywhere else the nearest depth is taken, known or not. So what is known neither grows nor shrinks on average, and no
  depth leaves the range of its four neighbours.

Noise is not averaged here; the mean over a patch does that when depth is lifted.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from video3d.geometry.rigid import crop_k, scale_k
from video3d.types import InputError, PosedClip

# Neighbouring depths that differ by less than this share of the depth are one surface. A floor seen from 1.5 m height
# by a camera of 500 px focal length changes by 1 % a pixel at 7 m; sensor noise is below 1 %; furniture stands further
# apart than 3 %.
_ONE_SURFACE = 0.03


def resize_clip(clip: PosedClip, size_hw: tuple[int, int]) -> PosedClip:
    """Resize colour, depth and intrinsics of a clip to ``size_hw``, so that every world point keeps its place.

    Afterwards colour and depth have the same size. Height and width are scaled independently: nothing is cut off or
    padded, and K tells the aspect. Unknown (NaN) depth, intrinsics and poses stay unknown. Colour is filtered with
    antialiasing (bicubic); depth is sampled, see the top of this file.

    Raises:
        InputError: a side that is not at least 1 px.

    >>> from video3d.types import World
    >>> one = np.array([0])
    >>> clip = PosedClip(
    ...     frame_index=one, time_s=np.zeros(1), rgb=np.zeros((1, 4, 8, 3), np.uint8), piece=one, world=World(),
    ...     depth_m=np.full((1, 2, 4), 2.0, np.float32), k_px=np.array([[[8.0, 0, 4], [0, 8, 2], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None],
    ... )
    >>> small = resize_clip(clip, (3, 6))
    >>> small.size_hw, small.depth_m.shape, small.k_px[0, 0].tolist()
    ((3, 6), (1, 3, 6), [6.0, 0.0, 3.0])
    """
    _check_size(size_hw)
    return replace(
        clip,
        rgb=_resize_rgb(clip.rgb, size_hw),
        depth_m=resize_depth(clip.depth_m, size_hw),
        depth_log_sigma=None if clip.depth_log_sigma is None else resize_depth(clip.depth_log_sigma, size_hw),
        k_px=scale_k(clip.k_px, clip.size_hw, size_hw),
    )


def resize_depth(depth_m: Float32[np.ndarray, "f h w"], size_hw: tuple[int, int]) -> Float32[np.ndarray, "f h2 w2"]:
    """Sample depth maps at the pixel centres of another size, without mixing across edges or unknown pixels.

    Planes stay planes, edges stay edges, NaN stays NaN; see the top of this file for how. Depth that already has the
    size comes back as it is, not copied.

    Raises:
        InputError: a side that is not at least 1 px.

    >>> step = np.array([[[1.0, 1.0, np.nan, 4.0]]], np.float32)
    >>> resize_depth(step, (1, 8))[0, 0].tolist()
    [1.0, 1.0, 1.0, 1.0, nan, nan, 4.0, 4.0]
    """
    _check_size(size_hw)
    height, width = depth_m.shape[1:]
    if (height, width) == tuple(size_hw):
        return depth_m
    at_y = (np.arange(size_hw[0]) + 0.5) * (height / size_hw[0])
    at_x = (np.arange(size_hw[1]) + 0.5) * (width / size_hw[1])
    return _sample_depth(depth_m, at_y, at_x)


def crop_clip(clip: PosedClip, top: int, left: int, height: int, width: int) -> PosedClip:
    """Cut a window out of a clip: ``height`` x ``width`` pixels of the colour frames from row ``top``, column ``left``.

    Depth of another size is sampled at the pixels of the window, so that both have one size afterwards.

    Raises:
        InputError: the window does not lie within the frames.

    >>> from video3d.types import World
    >>> one = np.array([0])
    >>> clip = PosedClip(
    ...     frame_index=one, time_s=np.zeros(1), rgb=np.zeros((1, 4, 8, 3), np.uint8), piece=one, world=World(),
    ...     depth_m=np.full((1, 2, 4), 2.0, np.float32), k_px=np.array([[[8.0, 0, 4], [0, 8, 2], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None],
    ... )
    >>> window = crop_clip(clip, 1, 2, 3, 4)
    >>> window.size_hw, window.depth_m.shape, window.k_px[0, :2, 2].tolist()
    ((3, 4), (1, 3, 4), [2.0, 1.0])
    """
    frame_height, frame_width = clip.size_hw
    fits = top >= 0 and left >= 0 and top + height <= frame_height and left + width <= frame_width
    if not fits or height < 1 or width < 1:
        raise InputError(
            "crop window",
            expected=f"a window within {frame_height}x{frame_width}",
            got=f"{height}x{width} from row {top}, column {left}",
        )
    window = np.s_[:, top : top + height, left : left + width]
    depth_m, log_sigma = clip.depth_m, clip.depth_log_sigma
    if depth_m.shape[1:] == clip.size_hw:
        depth_m, log_sigma = depth_m[window], None if log_sigma is None else log_sigma[window]
    else:
        at_y = (np.arange(top, top + height) + 0.5) * (depth_m.shape[1] / frame_height)
        at_x = (np.arange(left, left + width) + 0.5) * (depth_m.shape[2] / frame_width)
        depth_m = _sample_depth(depth_m, at_y, at_x)
        log_sigma = None if log_sigma is None else _sample_depth(log_sigma, at_y, at_x)
    k_px = crop_k(clip.k_px, top, left)
    return replace(clip, rgb=clip.rgb[window], depth_m=depth_m, depth_log_sigma=log_sigma, k_px=k_px)


def _resize_rgb(rgb: UInt8[np.ndarray, "f h w 3"], size_hw: tuple[int, int]) -> UInt8[np.ndarray, "f h2 w2 3"]:
    """Filter colour frames to another size, with antialiasing; frames of that size come back as they are."""
    from PIL import Image

    if rgb.shape[1:3] == tuple(size_hw):
        return rgb
    resized = np.empty((rgb.shape[0], *size_hw, 3), np.uint8)
    for frame, pixels in enumerate(rgb):
        image = Image.fromarray(np.ascontiguousarray(pixels))
        resized[frame] = np.asarray(image.resize((size_hw[1], size_hw[0]), Image.Resampling.BICUBIC))
    return resized


def _sample_depth(
    depth_m: Float32[np.ndarray, "f h w"], at_y: Float64[np.ndarray, "h2"], at_x: Float64[np.ndarray, "w2"]
) -> Float32[np.ndarray, "f h2 w2"]:
    """Depth at rows ``at_y`` and columns ``at_x``, in pixels of ``depth_m`` with centres at +0.5."""
    (y0, y1, y_share), (x0, x1, x_share) = _neighbours(at_y, depth_m.shape[1]), _neighbours(at_x, depth_m.shape[2])
    nearest_y, nearest_x = np.where(y_share < 0.5, y0, y1), np.where(x_share < 0.5, x0, x1)
    y_share, x_share = y_share[:, None].astype(np.float32), x_share.astype(np.float32)
    sampled = np.empty((depth_m.shape[0], at_y.size, at_x.size), np.float32)
    for frame, depth in enumerate(depth_m):  # a frame at a time: memory stays that of a few frames
        top, bottom = depth[y0], depth[y1]
        corners = (top[:, x0], top[:, x1], bottom[:, x0], bottom[:, x1])
        low = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))  # NaN if one is
        high = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            one_surface = (low > 0) & (high <= low * np.float32(1 + _ONE_SURFACE)) & (high < np.inf)
            inverse = [1 / corner for corner in corners]
            above = inverse[0] + x_share * (inverse[1] - inverse[0])
            below = inverse[2] + x_share * (inverse[3] - inverse[2])
            blended = np.clip(1 / (above + y_share * (below - above)), low, high)
        sampled[frame] = np.where(one_surface, blended, depth[np.ix_(nearest_y, nearest_x)])
    return sampled


def _neighbours(at_px: Float64[np.ndarray, "n"], size: int) -> tuple[np.ndarray, np.ndarray, Float64[np.ndarray, "n"]]:
    """The two pixels whose centres enclose each place along an axis, and how far it is from the first to the second.

    Beyond the outer centres, in the image's half pixel of border, nothing is extrapolated: the share is 0 or 1.
    """
    from_center = at_px - 0.5
    first = np.clip(np.floor(from_center).astype(np.int64), 0, max(size - 2, 0))
    second = np.minimum(first + 1, size - 1)
    return first, second, np.clip(from_center - first, 0.0, 1.0)


def _check_size(size_hw: tuple[int, int]) -> None:
    """Refuse a size without pixels."""
    if len(size_hw) != 2 or min(size_hw) < 1:
        raise InputError("size_hw", expected="height and width of at least 1 px", got=tuple(size_hw))
