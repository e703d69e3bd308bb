"""Street scenarios staged with what is made here alone, each once."""

from functools import cache

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives import DRIVES
from video3d.data.simulate.primitives import primitive_assets
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed


@cache
def library() -> AssetLibrary:
    return AssetLibrary(assets=primitive_assets(), furnished=False, digest="made here")


@cache
def drive_clip(name: str, seed: int) -> StagedClip:
    for attempt in range(12):
        try:
            return DRIVES[name](np.random.default_rng([seed, attempt]), library(), StageConfig())
        except StagingFailed:
            continue
    raise AssertionError(f"{name} {seed} cannot be staged")
