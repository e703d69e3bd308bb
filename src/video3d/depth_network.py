"""Depth networks by name: the embedded one and those of the hub."""

from video3d.types.depth import DepthEstimator


def load_depth(name: str) -> DepthEstimator | None:
    """A depth network by name: ``nano`` (its weights come with the package), ``none``, a Hugging Face id or a folder.

    Raises:
        InputError: no such network.

    >>> load_depth("none") is None
    True
    """
    if name == "none":
        return None
    if name == "nano":
        from video3d.model.nano_depth import load_nano_depth

        return load_nano_depth()
    from video3d.estimate.depth import load_depth_estimator

    return load_depth_estimator(name)
