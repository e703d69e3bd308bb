"""The converted vision tower computes what the graph it came from computes."""

import onnx
import pytest
import torch

from video3d.model.convert_dinov2 import convert_dinov2
from video3d.model.nano import DINOV2
from video3d.packaged import find_packaged


@pytest.fixture(scope="module")
def path():
    return find_packaged(DINOV2)


def test_features_are_those_of_the_graph(path):
    runtime = pytest.importorskip("onnxruntime")
    graph = onnx.load(str(path))
    inside = "/backbone/layernorm/Add_1_output_0"
    del graph.graph.output[:]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(inside, onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(session.run([inside], {"input_image": images.numpy()})[0])
    with torch.no_grad():
        found = convert_dinov2(path)(images).last_hidden_state
    assert expected.shape == found.shape == (2, 257, 384)
    assert expected.std() > 0.5
    assert (found - expected).abs().max() < 1e-4


def test_a_graph_without_a_weight_is_refused(path, tmp_path):
    graph = onnx.load(str(path))
    name = "backbone.encoder.layer.3.norm1.weight"
    kept = [constant for constant in graph.graph.initializer if constant.name != name]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    onnx.save(graph, str(tmp_path / "less.onnx"))
    with pytest.raises(ValueError, match=r"less.onnx.*layer\.3\.norm1\.weight"):
        convert_dinov2(tmp_path / "less.onnx")
