"""Our own products: compiled by the Python package, run through the C ABI of compiled models."""

import mmap
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

import abi  # of test/models: the C ABI in ctypes
import mezzo
from contender import Contender, Problem, Product, aligned


class MezzoProduct(Contender):
    """A weight of any spec, multiplied in one of the modes. Every m has a model of its own, compiled for it.

    Modes `float` and `int` are what NumPy computes, to the rounding of f32; of `lut8` the tables are rounded as well.
    """

    def __init__(self, problem: Problem, spec: str, mode: str):
        super().__init__(problem)
        self.name = f"mezzo {spec} {mode}"
        self.tolerance = 2e-2 if mode == "lut8" else 1e-5
        self._mode = mode
        self._matrix = mezzo.quantize(problem.w, spec)
        self._folder = self.resources.enter_context(tempfile.TemporaryDirectory(prefix="mezzo-perf-"))
        self._remarks: dict[int, list[str]] = {}
        self._maps: dict[int, list[np.ndarray]] = {}
        # Known when a model is compiled: as many bytes as the file has, since padding is read like everything else.
        self.weight_bytes = 0

    def product(self, x: np.ndarray, cold: bool) -> Product:
        y = aligned((len(x), self.problem.n))
        inputs, outputs = (abi.Tensor * 1)(abi.Tensor.of(x)), (abi.Tensor * 1)(abi.Tensor.of(y))
        contexts, maps = [], []
        for folder in self._files(len(x), cold):
            model = abi.Model(folder / "model.so", "product")
            self.resources.callback(model.close)
            contexts.append(self.resources.enter_context(abi.Context(model, self.problem.threads)))
            maps.append(_map(folder / "model.weights"))
            # What is mapped stays when its name goes.
            shutil.rmtree(folder)
        self._maps[len(x)] = maps
        return Product([_call(context, inputs, outputs) for context in contexts], y)

    def maps(self, m: int) -> list[np.ndarray]:
        """The weight files of the copies, mapped a second time: a pure read of them finds memory as the kernel does."""
        return self._maps[m]

    def dequantized(self) -> np.ndarray:
        return self._matrix.dequantize()

    def activations(self, x: np.ndarray) -> np.ndarray:
        """In mode int, every row is quantized to int8 with the scale max|x| / 127."""
        if self._mode != "int":
            return x
        scale = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
        return np.rint(x / scale) * scale

    def facts(self) -> dict:
        return {"remarks": self._remarks}

    def _files(self, m: int, cold: bool) -> list[Path]:
        """Folders with a model.so and its weights beside it: one for m is compiled, and copied. Not linked: two names of
        one file would share its memory, and two models of one file their tables."""
        folder = Path(self._folder) / f"m{m}"
        folder.mkdir()
        options = {"target": self.problem.target, "compute": self._mode, "weights": "file", "prefix": "product"}
        # What mezzo.linear calls, which keeps to itself where the model is.
        output = str(folder / "model.so")
        messages = mezzo._mezzo.compile_linear(self._matrix._matrix, None, m, output, options)
        self._remarks[m] = [text for _, text in messages]
        self.weight_bytes = (folder / "model.weights").stat().st_size
        folders = [folder]
        for index in range(1, self.copies if cold else 1):
            folders.append(Path(f"{folder}-{index}"))
            shutil.copytree(folder, folders[-1])
        return folders


def _call(context, inputs, outputs):
    run, handle, check = context.model.table.run, context.handle, context.model.check

    def call():
        status = run(handle, inputs, 1, outputs, 1)
        if status:
            check(status)

    return call


def _map(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ), np.uint8)
