"""ONNX Runtime's MatMulNBits, through its Python interface with everything bound beforehand."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import mezzo
from contender import Contender, Problem, Product, aligned


class OrtProduct(Contender):
    """A weight of so many bits with a float32 scale per block and the zero point 2^(bits-1).

    level: MatMulNBits' accuracy_level: 4 permits activations in int8 (quantized per block), 0 leaves the choice to the
    library, which takes f32.
    """

    def __init__(self, problem: Problem, bits: int, block: int, level: int):
        super().__init__(problem)
        self.name = f"MatMulNBits {bits}/{block} level {level}"
        self.tolerance = 1e-2 if level == 4 else 1e-4
        # The same codes and scales as a spec of ours, so that both have the same work.
        self._matrix = mezzo.quantize(problem.w, f"int{bits}/g{block}")
        self._model, self.weight_bytes = _model(self._matrix, bits, block, level)
        self._sessions = [self._session() for _ in range(self.copies)]

    def product(self, x: np.ndarray, cold: bool) -> Product:
        y = aligned((len(x), self.problem.n))
        return Product([_call(session, x, y) for session in (self._sessions if cold else self._sessions[:1])], y)

    def dequantized(self) -> np.ndarray:
        return self._matrix.dequantize()

    def _session(self) -> onnxruntime.InferenceSession:
        """Each packs its weights into memory of its own."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.problem.threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])


def _call(session, x, y):
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x))
    # An output in the memory of an array: bound by its address.
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
    run = session.run_with_iobinding
    return lambda: run(binding)


def _model(matrix, bits: int, block: int, level: int) -> tuple[bytes, int]:
    """The model's bytes, and how many of them are the weight: codes and scales."""
    rows, cols = matrix.shape
    zero = 1 << (bits - 1)
    # Two's complement to offset binary.
    codes = (matrix.codes + zero) & (2 * zero - 1)
    packed = _pack(codes, bits).reshape(rows, cols // block, block * bits // 8)
    tensors = [numpy_helper.from_array(packed, "codes"), numpy_helper.from_array(matrix.scales, "scales")]
    attributes = {"K": cols, "N": rows, "bits": bits, "block_size": block, "accuracy_level": level}
    node = helper.make_node("MatMulNBits", ["x", "codes", "scales"], ["y"], domain="com.microsoft", **attributes)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["m", size]) for name, size in (("x", cols), ("y", rows))
    )
    graph = helper.make_graph([node], "product", [x], [y], tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return model.SerializeToString(), packed.nbytes + matrix.scales.nbytes


def _pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """8 / bits codes per byte, the first in the lowest bits."""
    per_byte = 8 // bits
    packed = np.zeros((codes.shape[0], codes.shape[1] // per_byte), np.uint8)
    for index in range(per_byte):
        packed |= codes[:, index::per_byte] << (bits * index)
    return packed
