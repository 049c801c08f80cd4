"""ggml's kernels, as llama.cpp runs them: a graph with one ggml_mul_mat on the CPU backend."""

import ctypes

import numpy as np

import ggml
from contender import Contender, Problem, Product, aligned

# ggml multiplies quantized weights with activations that it quantizes to int8 per 32 or 256 columns, and f16 weights
# with activations that it rounds to f16.
_INT8, _F16, _F32 = 1e-2, 1e-3, 1e-5


class GgmlProduct(Contender):
    """A weight of one of ggml's types, in plain memory or in a buffer in which it is rearranged ("repacked")."""

    def __init__(self, problem: Problem, library: ggml.Ggml, kind: str, repack: bool):
        """Errors: LookupError where this build of ggml does not repack the type on this machine."""
        super().__init__(problem)
        self.name = f"ggml {kind}" + (" repacked" if repack else "")
        self.tolerance = {"f32": _F32, "f16": _F16}.get(kind, _INT8)
        self._lib, self._kind = library, kind
        self._type = ggml.TYPES[kind]
        self._bytes = self._quantize()
        self.weight_bytes = self._bytes.nbytes
        self._tensors = self._place(repack)

    def product(self, x: np.ndarray, cold: bool) -> Product:
        lib, (m, k), n = self._lib, x.shape, self.problem.n
        y = aligned((m, n))
        weights = self._tensors if cold else self._tensors[:1]
        context = self._context(tensors=1 + len(weights), graphs=len(weights))
        # ne[0] is the axis that lies together: x is [k, m] here, and y is [n, m].
        a = lib.new_tensor_2d(context, ggml.TYPES["f32"], k, m)
        self._lay(a, x)
        plans = []
        for weight in weights:
            node = lib.mul_mat(context, weight, a)
            self._lay(node, y)
            graph = lib.new_graph_custom(context, ggml.GRAPH_SIZE, False)
            lib.build_forward_expand(graph, node)
            plans.append(lib.backend_graph_plan_create(lib.backend, graph))
            self.resources.callback(lib.backend_graph_plan_free, lib.backend, plans[-1])
        compute, backend = lib.backend_graph_plan_compute, lib.backend
        return Product([lambda plan=plan: compute(backend, plan) for plan in plans], y)

    def dequantized(self) -> np.ndarray:
        if self._kind == "f32":
            return self.problem.w
        w = np.empty_like(self.problem.w)
        to_float = self._lib.get_type_traits(self._type).contents.to_float
        to_float(self._bytes.ctypes.data, w.ctypes.data, w.size)
        return w

    def _quantize(self) -> np.ndarray:
        w = self.problem.w
        # Nothing takes more room than f32.
        packed = np.empty(w.nbytes, np.uint8)
        size = self._lib.quantize_chunk(self._type, w.ctypes.data, packed.ctypes.data, 0, *w.shape, None)
        return packed[:size].copy()

    def _place(self, repack: bool) -> list:
        """The copies of the weight, each a tensor in a buffer of ggml."""
        lib = self._lib
        buffer_type = lib.repack_buffer_type() if repack else lib.backend_cpu_buffer_type()
        if not buffer_type:
            raise LookupError("this libggml was built without GGML_CPU_REPACK")
        context = self._context(tensors=self.copies + 2)
        tensors = [lib.new_tensor_2d(context, self._type, self.problem.k, self.problem.n) for _ in range(self.copies)]
        buffer = lib.backend_alloc_ctx_tensors_from_buft(context, buffer_type)
        if not buffer:
            raise MemoryError(f"{self.copies} copies of {self.weight_bytes} bytes for {self.name}")
        self.resources.callback(lib.backend_buffer_free, buffer)
        if repack:
            # Setting a tensor that cannot be repacked would end this process, so ask first.
            node = lib.mul_mat(context, tensors[0], lib.new_tensor_2d(context, ggml.TYPES["f32"], self.problem.k, 1))
            if not lib.backend_dev_supports_op(lib.device, node):
                raise LookupError(f"this libggml does not repack {self._kind} on this machine")
        for tensor in tensors:
            assert lib.nbytes(tensor) == self.weight_bytes, f"{self.name} has another size than its quantizer says"
            lib.backend_tensor_set(tensor, self._bytes.ctypes.data, 0, self.weight_bytes)
            stored = (ctypes.c_uint8 * self.weight_bytes).from_address(lib.get_data(tensor))
            if repack == np.array_equal(np.frombuffer(stored, np.uint8), self._bytes):
                raise RuntimeError(f"{self.name}: the weights were {'not ' if repack else ''}rearranged")
        return tensors

    def _context(self, tensors: int, graphs: int = 0):
        context = self._lib.context(tensors, graphs)
        self.resources.callback(self._lib.free, context)
        return context

    def _lay(self, tensor, array: np.ndarray) -> None:
        """Makes a tensor of an array's memory."""
        lib = self._lib
        buffer = lib.backend_cpu_buffer_from_ptr(array.ctypes.data, array.nbytes)
        self.resources.callback(lib.backend_buffer_free, buffer)
        lib.backend_tensor_alloc(buffer, tensor, array.ctypes.data)
