"""Colour brought to the camera that a recording states, where colour was taken by a second camera beside it.

Some RGB-D recordings state intrinsics and poses of their depth camera, and their colour comes from another one with another
focal length: a colour pixel then shows something else than the depth pixel at the same place. With depth and poses the
colour camera can be measured without any matching: a depth pixel of one frame is carried into another frame, both are
looked up in colour through a supposed camera, and the camera under which the two colours agree is the right one.

What is mended is what needs no depth: focal length and a shift, the same for all pixels. That the two cameras stand apart,
which moves a near thing by more than a far one, is left but for the middle of it, which the shift takes. (The distance
was tried as a fourth unknown: it came out between 2.5 and 4.5 cm for a Kinect, too uncertain beside a free shift.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from video3d.geometry.rigid import inverse_k, inverse_rigid, project, scale_k, transform_points
from video3d.types import LoadDepth, LoadRgb, PosedClip, Recording

_NUM_FRAMES = 20
_NUM_PAIRS, _MIN_PAIRS = 32, 6
_WIDTH_PX = 320  # colours are compared at this width
_ROWS = 48  # of depth pixels that are carried over, a frame
_MIN_OVERLAP = 0.3  # of a frame's depth pixels
_MOVE = 0.06, 0.4  # of the width: less tells no focal length, more is seen from too far apart
_SAME_SURFACE = 0.03  # of depth
_RATIOS = np.geomspace(0.72, 1.4, 28)  # of the colour's to the stated focal length that are tried
_STEP = np.array([0.01, 1.5, 1.5])  # first steps of the search: ratio, shift (px at _WIDTH_PX)
_MIN_AGREEMENT = 0.2
_MAX_ERROR = 0.02
_DIFFERS = 0.03  # of the focal length, and three times its uncertainty


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourCamera:
    """The camera that took the colour of a recording, against the one that the recording states.

    Attributes:
        ratio: focal length of colour over the stated one.
        ratio_error: its uncertainty, one standard deviation, from how far pairs of frames disagree.
        shift_px: where colour shows what the stated camera has at its principal point, less that point: (x, y) in pixels.
        agreement: correlation of carried colours under the stated camera, and under this one.
        num_pairs: pairs of frames that this rests on.
    """

    ratio: float
    ratio_error: float
    shift_px: tuple[float, float]
    agreement: tuple[float, float]
    num_pairs: int

    @property
    def differs(self) -> bool:
        """Whether the focal length is another than the stated one, beyond what may be error."""
        return abs(self.ratio - 1) > max(_DIFFERS, 3 * self.ratio_error)


class _Carried(NamedTuple):
    """Depth pixels of frame ``first`` and where they are in frame ``second``, by the stated camera."""

    first: int
    second: int
    first_px: Float64[np.ndarray, "m 2"]
    second_px: Float64[np.ndarray, "m 2"]


def register_colour(recording: Recording) -> Recording:
    """The recording with every colour pixel where its intrinsics say, if its reader doubts that it is there.

    Depth, intrinsics and poses stay what was measured; colour is enlarged about the principal point by the ratio of the
    focal lengths and shifted. A note that begins with ``colour:`` says what was found, in numbers. Where colour is
    registered already, or where that cannot be told without depth, poses and intrinsics, nothing is changed. Measured
    once for a source; a few seconds.

    Raises:
        InputError: a frame cannot be read.

    >>> from pathlib import Path
    >>> recording = Recording(source=Path("a.mp4"), format="video", size_hw=(4, 6), time_s=np.zeros(1),
    ...                       frame_names=("0",), load_rgb=lambda i: np.zeros((len(i), 4, 6, 3), np.uint8))
    >>> register_colour(recording) is recording
    True
    """
    if recording.colour_registered:
        return recording
    if recording.k_px is None:
        return recording  # what is estimated from colour will be colour's own
    found = _measured(_Key(recording))
    stated_px = float(np.median(recording.k_px[:, 0, 0]))
    if found is None:
        note = "colour: may not be registered to the stated camera, and too few frames see the same from apart to tell"
        if recording.load_depth_m is None or recording.world_from_camera is None:
            note = "colour: may not be registered to the stated camera; to tell takes depth and poses"
        return replace(recording, notes=(*recording.notes, note))
    focal = f"{found.ratio * stated_px:.0f} px (give or take {found.ratio_error * stated_px:.0f})"
    basis = f"carried through depth and poses over {found.num_pairs} pairs of frames"
    if not found.differs:
        note = (
            f"colour: agrees with the stated camera: focal length {focal} against {stated_px:.0f}, by colours {basis}"
        )
        return replace(recording, colour_registered=True, notes=(*recording.notes, note))
    note = (
        f"colour: taken by another camera, of focal length {focal} and not {stated_px:.0f}; resampled to the stated one, "
        f"shifted by ({-found.shift_px[0]:.1f}, {-found.shift_px[1]:.1f}) px. Colours {basis} agree to "
        f"{found.agreement[1]:.2f} now, {found.agreement[0]:.2f} before. What is near may still be some pixels off, as that "
        "camera stands beside the depth camera"
    )
    load_depth_m = recording.load_depth_m
    window = _window(recording, found)
    height, width = recording.size_hw
    if load_depth_m is not None and (min(window[:2]) < 0 or window[2] > width or window[3] > height):
        load_depth_m = _SeenDepth(load=load_depth_m, window=window, rgb_hw=recording.size_hw)
        note += "; depth outside its view is unknown"
    return replace(
        recording,
        load_rgb=_ZoomedRgb(load=recording.load_rgb, window=window),
        load_depth_m=load_depth_m,
        colour_registered=True,
        notes=(*recording.notes, note),
    )


def measure_colour_camera(recording: Recording) -> ColourCamera | None:
    """The colour camera's focal length and shift against the stated camera.

    None where depth, poses or intrinsics are missing, too few frames overlap, or colours agree under no camera.

    Raises:
        InputError: a frame cannot be read.
    """
    from scipy.optimize import minimize

    load_depth, k_all, poses = recording.load_depth_m, recording.k_px, recording.world_from_camera
    if load_depth is None or k_all is None or poses is None:
        return None
    known = np.flatnonzero(np.isfinite(poses).all(axis=(1, 2)) & np.isfinite(k_all).all(axis=(1, 2)))
    if len(known) < 2:
        return None
    index = known[np.unique(np.linspace(0, len(known) - 1, _NUM_FRAMES).round().astype(int))]
    grey = _small_grey(recording, index)
    small_hw = (grey.shape[1], grey.shape[2])
    k_px = scale_k(np.median(k_all[index], axis=0), recording.size_hw, small_hw)
    depth = np.concatenate([load_depth([int(i)]) for i in index])
    pairs = _pairs(depth, k_px, poses[index], small_hw)
    if len(pairs) < _MIN_PAIRS:
        return None
    middle = k_px[:2, 2]

    def agreement(images: np.ndarray, guess: np.ndarray) -> np.ndarray:
        return np.array([_agreement(images, pair, guess, middle) for pair in pairs])

    coarse, fine = _normalised(grey, _WIDTH_PX / 160), _normalised(grey, _WIDTH_PX / 320)
    curve = [float(np.mean(agreement(coarse, np.array([r, 0, 0])))) for r in _RATIOS]
    best = int(np.argmax(curve))
    if curve[best] < _MIN_AGREEMENT or best in (0, len(_RATIOS) - 1):
        return None

    def cost(steps: np.ndarray) -> float:
        return -float(np.mean(agreement(fine, start + steps * _STEP)))

    start = np.array([_RATIOS[best], 0.0, 0.0])
    simplex = np.vstack([np.zeros(3), np.eye(3)])
    options = {"initial_simplex": simplex, "xatol": 0.1, "fatol": 1e-4, "maxfev": 120}
    flat = start + minimize(cost, simplex[0], method="Nelder-Mead", options=options).x * _STEP
    around = flat[0] * (1 + 0.005 * np.arange(-10, 11))
    each = np.array([agreement(fine, np.array([r, *flat[1:]])) for r in around])
    ratios = around[np.argmax(each, axis=0)]
    spread = 1.4826 * float(np.median(np.abs(ratios - np.median(ratios))))
    # Pairs share frames, so that there are only about as many independent ones as frames; the grid rounds to half a step.
    error = float(np.hypot(spread / np.sqrt(min(len(pairs), len(index))), 0.005 * flat[0] / np.sqrt(12)))
    if error > _MAX_ERROR * flat[0]:
        return None
    to_px = recording.size_hw[1] / small_hw[1]
    return ColourCamera(
        ratio=float(flat[0]),
        ratio_error=error,
        shift_px=(float(flat[1] * to_px), float(flat[2] * to_px)),
        agreement=(
            float(np.mean(agreement(fine, np.array([1.0, 0, 0])))),
            float(np.mean(agreement(fine, flat))),
        ),
        num_pairs=len(pairs),
    )


def with_colour_notes(clip: PosedClip, recording: Recording) -> PosedClip:
    """The clip, whose notes also tell what ``register_colour`` found."""
    said = tuple(note for note in recording.notes if note.startswith("colour:"))
    return replace(clip, status=replace(clip.status, notes=(*clip.status.notes, *said))) if said else clip


class _Key:
    """A recording as a key of a cache: the same source with the same frames is the same."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        given = (recording.load_depth_m is None, recording.world_from_camera is None)
        try:
            changed = recording.source.stat().st_mtime_ns
        except OSError:
            changed = id(recording)
        self.identity = (str(recording.source.absolute()), changed, recording.frame_names, given)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.identity == other.identity


@lru_cache(maxsize=32)
def _measured(key: _Key) -> ColourCamera | None:
    return measure_colour_camera(key.recording)


def _small_grey(recording: Recording, index: np.ndarray) -> Float32[np.ndarray, "f h w"]:
    from PIL import Image

    height, width = recording.size_hw
    size = (_WIDTH_PX, round(height * _WIDTH_PX / width))
    frames = [Image.fromarray(recording.load_rgb([int(i)])[0]).convert("L") for i in index]
    return np.stack([np.asarray(f.resize(size, Image.Resampling.BOX), dtype=np.float32) for f in frames])


def _normalised(grey: Float32[np.ndarray, "f h w"], sigma_px: float) -> Float32[np.ndarray, "f h w"]:
    """Structure at one scale: brightness and contrast of the surroundings taken out, as exposure changes both."""
    from scipy.ndimage import gaussian_filter

    def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
        return gaussian_filter(image, (0.0, sigma, sigma))

    fine = smooth(grey, sigma_px)
    fine -= smooth(fine, 6 * sigma_px)
    return fine / (np.sqrt(smooth(fine**2, 6 * sigma_px)) + 4.0)


def _pairs(
    depth_m: Float32[np.ndarray, "f dh dw"],
    k_px: Float64[np.ndarray, "3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    size_hw: tuple[int, int],
) -> list[_Carried]:
    """Pairs of frames that see the same surface from a little apart, evenly chosen among all."""
    depth_hw = (depth_m.shape[1], depth_m.shape[2])
    step = max(1, depth_hw[0] // _ROWS)
    rows, columns = np.mgrid[step // 2 : depth_hw[0] : step, step // 2 : depth_hw[1] : step].reshape(2, -1)
    to_px = np.array([size_hw[1] / depth_hw[1], size_hw[0] / depth_hw[0]])
    px = np.stack([columns + 0.5, rows + 0.5], axis=1) * to_px
    rays = np.hstack([px, np.ones((len(px), 1))]) @ inverse_k(k_px).T
    found = []
    for i in range(len(depth_m)):
        z = depth_m[i, rows, columns].astype(np.float64)
        for j in range(len(depth_m)):
            if i == j:
                continue
            points = transform_points(inverse_rigid(world_from_camera[j]) @ world_from_camera[i], rays * z[:, None])
            there, there_m = project(points, k_px)
            with np.errstate(invalid="ignore"):
                inside = (there_m > 0) & (there >= 0).all(axis=1) & (there < size_hw[::-1]).all(axis=1)
            at = np.floor(np.where(inside[:, None], there, 0.0) / to_px).astype(np.int64)
            measured = depth_m[j, np.minimum(at[:, 1], depth_hw[0] - 1), np.minimum(at[:, 0], depth_hw[1] - 1)]
            with np.errstate(invalid="ignore"):
                good = inside & (np.abs(measured - there_m) < _SAME_SURFACE * there_m)
            if good.mean() < _MIN_OVERLAP:
                continue
            move = float(np.median(np.linalg.norm(there[good] - px[good], axis=1))) / size_hw[1]
            if _MOVE[0] < move < _MOVE[1]:
                found.append(_Carried(i, j, px[good], there[good]))
    chosen = np.unique(np.linspace(0, len(found) - 1, min(len(found), _NUM_PAIRS)).round().astype(int))
    return [found[k] for k in chosen]


def _agreement(
    images: Float32[np.ndarray, "f h w"],
    pair: _Carried,
    guess: Float64[np.ndarray, "3"],
    middle_px: Float64[np.ndarray, "2"],
) -> float:
    """Correlation of the two frames' colours at the same surface points, looked up through a supposed colour camera."""
    from scipy.ndimage import map_coordinates

    ratio, moved = guess[0], guess[1:3]
    colours = []
    for frame, px in ((pair.first, pair.first_px), (pair.second, pair.second_px)):
        at = middle_px + ratio * (px - middle_px) + moved
        colours.append(map_coordinates(images[frame], [at[:, 1] - 0.5, at[:, 0] - 0.5], order=1, cval=np.nan))
    first, second = colours
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 100 or min(first[both].std(), second[both].std()) < 1e-6:
        return 0.0  # nothing there that could agree
    return float(np.corrcoef(first[both], second[both])[0, 1])


def _window(recording: Recording, camera: ColourCamera) -> tuple[float, float, float, float]:
    """The part of a colour frame that the stated camera's frame shows: left, top, right, bottom in pixels."""
    assert recording.k_px is not None
    middle = np.median(recording.k_px, axis=0)[:2, 2]
    corners = np.array([[0.0, 0.0], [recording.size_hw[1], recording.size_hw[0]]])
    (left, top), (right, bottom) = middle + camera.ratio * (corners - middle) + np.array(camera.shift_px)
    return float(left), float(top), float(right), float(bottom)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ZoomedRgb:
    """``LoadRgb`` that shows a window of every frame at the frame's size, antialiased; beyond the border it repeats it."""

    load: LoadRgb
    window: tuple[float, float, float, float]

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        """Registered colour at ``indices``."""
        from PIL import Image

        frames = self.load(indices)
        height, width = frames.shape[1:3]
        left, top, right, bottom = self.window
        beyond = int(np.ceil(max(0.0, -left, -top, right - width, bottom - height)))
        box = (left + beyond, top + beyond, right + beyond, bottom + beyond)
        out = np.empty_like(frames)
        for i, frame in enumerate(frames):
            padded = np.pad(frame, ((beyond, beyond), (beyond, beyond), (0, 0)), mode="edge") if beyond else frame
            # Pillow's box counts from the border of the first pixel, as pixel centres at +0.5 do.
            out[i] = Image.fromarray(padded).resize((width, height), Image.Resampling.LANCZOS, box=box)
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeenDepth:
    """``LoadDepth`` without the pixels that the colour camera does not see."""

    load: LoadDepth
    window: tuple[float, float, float, float]
    rgb_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f dh dw"]:
        """Depth at ``indices``, NaN where there is no colour."""
        depth_m = self.load(indices).copy()
        left, top, right, bottom = self.window
        for axis, (low, high), limit in ((1, (top, bottom), self.rgb_hw[0]), (2, (left, right), self.rgb_hw[1])):
            size = depth_m.shape[axis]
            at = low + (np.arange(size) + 0.5) / size * (high - low)
            unseen = (at < 0) | (at > limit)
            depth_m[(slice(None),) * axis + (unseen,)] = np.nan
        return depth_m
