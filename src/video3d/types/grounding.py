"""What a phrase was found to mean in a scene."""

from dataclasses import dataclass, field

from video3d.types.scene import Detection
from video3d.types.world import GeometryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """Objects that a phrase means, or an explicit nothing and why.

    Attributes:
        phrase: as it was asked.
        found: the objects, best first, each with the share (0..1) that the model gives it; empty: nothing.
        why_nothing: why ``found`` is empty; empty itself otherwise.
        proposals: everything that was considered, with how clearly it stands out (0..1, no probability) as its score.
        none_share: share that the model gives to "none of them"; None where it was not asked.
        metric: whether boxes are in metres, else in the recording's own unit.
        geometry: what of the geometry was measured and what estimated.
    """

    phrase: str
    found: tuple[Detection, ...]
    why_nothing: str
    proposals: tuple[Detection, ...]
    none_share: float | None
    metric: bool
    geometry: GeometryStatus = field(default_factory=GeometryStatus)
