"""OpenBLAS' sgemm (sgemv for one row), the one inside NumPy: float32 weights, not quantized."""

import ctypes
from pathlib import Path

import numpy as np

from contender import Contender, Problem, Product, aligned


class BlasProduct(Contender):
    name = "OpenBLAS sgemm"
    tolerance = 1e-5

    def __init__(self, problem: Problem):
        super().__init__(problem)
        self.weight_bytes = problem.w.nbytes
        self._weights = [problem.w] + [problem.w.copy() for _ in range(self.copies - 1)]

    def product(self, x: np.ndarray, cold: bool) -> Product:
        y = aligned((len(x), self.problem.n))
        weights = self._weights if cold else self._weights[:1]
        return Product([lambda w=w: np.matmul(x, w.T, out=y) for w in weights], y)

    def dequantized(self) -> np.ndarray:
        return self.problem.w


def openblas_kernel() -> str:
    """Which of its kernels OpenBLAS has chosen for this machine, such as "Haswell"; the library tells."""
    for path in Path(np.__file__).parents[1].glob("numpy.libs/libscipy_openblas*"):
        library = ctypes.CDLL(str(path))
        for suffix in ("64_", ""):
            function = getattr(library, f"scipy_openblas_get_corename{suffix}", None)
            if function:
                function.restype = ctypes.c_char_p
                return function().decode()
    return "unknown"
