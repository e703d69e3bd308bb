"""Layout of scene tokens, and the order of pooling and projecting."""

import pytest
import torch

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.scene_projector import SceneProjector


def make(**settings):
    torch.manual_seed(1)
    projector = SceneProjector(Video3DConfig(**settings), 8, 12)
    for vector in (projector.separator, projector.base, projector.gate):
        if vector is not None:
            torch.nn.init.normal_(vector)
    return projector


def run(projector, gh=4, gw=6):
    torch.manual_seed(2)
    with torch.no_grad():
        features, points, weight = torch.randn(2, gh, gw, 8), torch.randn(2, gh, gw, 3), torch.ones(2, gh, gw)
        content = projector.pool_content(projector.patch_content(features))
        return projector.lay_out(content, *projector.pool_places(points, weight, content.shape[1:3]))


def test_rows_end_in_a_separator_without_a_place():
    projector = make()
    tokens, points = run(projector)
    rows = tokens.unflatten(1, (2, 4))
    assert torch.allclose(rows[:, :, 3], projector.separator.expand(2, 2, -1))
    assert points.unflatten(1, (2, 4)).isnan().all(-1).tolist() == [[[False, False, False, True]] * 2] * 2


def test_separators_and_gate_can_be_left_out():
    plain = make(row_separators=False, gated=False)
    assert {name for name, _ in plain.named_parameters()} == {
        f"linear_{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")
    }
    assert run(plain)[0].shape == (2, 6, 12)


def test_the_gate_scales_projection_and_position_alike():
    projector = make(row_separators=False)
    with torch.no_grad():
        content = []
        for gate in (0.3, -1.2):
            projector.gate.fill_(gate)
            content.append((run(projector)[0] - projector.base) / torch.tanh(projector.gate))
    assert torch.allclose(*content, atol=1e-5)


def test_pooling_after_the_projector_differs_only_by_its_nonlinearity():
    before, after = (make(pool_after_projector=flag, gated=False) for flag in (False, True))
    assert run(before)[0].shape == run(after)[0].shape
    assert not torch.allclose(run(before)[0], run(after)[0], atol=1e-3)
    for projector in (before, after):  # pushed to where GELU is the identity, the order does not matter
        with torch.no_grad():
            projector.linear_1.bias.fill_(50.0)
    assert torch.allclose(run(before)[0], run(after)[0], atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"pool": 3}, {"row_separators": False}])
@pytest.mark.parametrize(("gh", "gw"), [(4, 6), (7, 5)])
def test_tokens_can_be_counted_beforehand(settings, gh, gw):
    config = Video3DConfig(vision_config={"model_type": "dinov2", "patch_size": 14}, **settings)
    tokens, points = run(SceneProjector(config, 8, 12), gh, gw)
    assert (
        tokens.shape[1]
        == points.shape[1]
        == -(-gh // config.pool) * (-(-gw // config.pool) + int(config.row_separators))
    )
