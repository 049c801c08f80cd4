"""Integer chains and QDQ models against ONNX Runtime with optimizations off; products of half-precision activations."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import abi
from builders.catalogue import CATALOGUE
from builders.graph import Graph
from builders.nbits import matmul_nbits, random_nbits
from reference import Reference

# The runtime has no kernels for i8 by u8, nor for a zero point per row.
EXACT = [name for name in sorted(CATALOGUE) if name.startswith(("dynamic-", "qlinear-"))] + ["qgemm-codes"]
EXACT = [name for name in EXACT if not name.startswith("qlinear-int8-uint8")]


def by_runtime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def by_us(folder, model, feeds, *flags):
    source, target = folder / "m.onnx", folder / "m.so"
    onnx.save(model, source)
    done = subprocess.run(["mezzo", "compile", str(source), "-o", str(target), *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    compiled = abi.Model(target, "m")
    with compiled.context() as context:
        outputs = context.run(feeds)
    compiled.close()
    return outputs


@pytest.mark.parametrize("name", EXACT)
def test_integer_chains_equal_the_unfused_runtime(tmp_path, name):
    graph = CATALOGUE[name]()
    model = graph.model()
    outputs = by_us(tmp_path, model, graph.feeds)
    for tensor, want in by_runtime(model, graph.feeds).items():
        if name == "qlinear-functions":
            # The runtime's kernels of these multiply by quotients of scales: next to a tie, another code.
            assert np.abs(outputs[tensor].astype(int) - want.astype(int)).max() <= 1
            assert np.mean(outputs[tensor] != want) < 0.02
        else:
            np.testing.assert_array_equal(outputs[tensor], want, err_msg=tensor)


@pytest.mark.parametrize("name", [name for name in sorted(CATALOGUE) if name.startswith("qdq-")] + ["static-activations"])
@pytest.mark.parametrize("mode", ["", "int", "float"])
def test_quantize_dequantize_is_within_one_code(tmp_path, name, mode):
    """The standard leaves the order of roundings open between DQ and Q; a code may differ next to a tie, and seldom does."""
    graph = CATALOGUE[name]()
    model = graph.model()
    flags = ["--compute", mode] if mode else []
    ((tensor, want),) = by_runtime(model, graph.feeds).items()
    got = by_us(tmp_path, model, graph.feeds, *flags)[tensor]
    step = {init.name: onnx.numpy_helper.to_array(init) for init in model.graph.initializer}
    last = next(node for node in model.graph.node if node.output[0] == tensor)
    codes = np.rint((got - want) / step[last.input[1]])
    np.testing.assert_allclose(codes * step[last.input[1]], got - want, atol=1e-5)
    assert np.abs(codes).max() <= 1
    assert np.count_nonzero(codes) <= 0.01 * codes.size


def test_static_quantization_is_the_models_word_for_int(tmp_path):
    """Without --compute, a product of dequantized activations reads their codes."""
    graph = CATALOGUE["qdq-uint8-gemm"]()
    model = graph.model()
    got, want = by_us(tmp_path, model, graph.feeds)["y"], Reference(model, "int").run(graph.feeds)["y"]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("mode", ["float", "int"])
def test_half_precision_activations(tmp_path, dtype, mode):
    """Activations of 16 bits are widened, which is exact, and the result is rounded once."""
    g = Graph("half", 11)
    x = g.input("x", g.heavy_tailed(5, 96), ["rows", 96])
    weight = random_nbits(g.random, 48, 96, 4, 32)
    narrow = g.op("Cast", x, name="narrow", to=dtype)
    scaled = weight._replace(scales=weight.scales.astype(np.float32))
    y = matmul_nbits(g, narrow, scaled, "product")
    g.output(g.op("Cast", y, name="y", to=TensorProto.FLOAT), ["rows", 48])
    model = g.model()
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    narrowed = g.feeds["x"].astype(kind).astype(np.float32)
    want = Reference(model, mode).MatMulNBits(
        {"bits": 4, "block_size": 32, "N": 48, "K": 96}, narrowed, *(Reference(model).constants[n] for n in ("product.codes", "product.scales"))
    )
    got = by_us(tmp_path, model, g.feeds, "--compute", mode)["y"]
    np.testing.assert_array_equal(got, want.astype(kind).astype(np.float32))
