"""Compiled models, run from Python in the shape of ONNX Runtime."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mezzo import _mezzo
from mezzo._arrays import Array, as_array
from mezzo._checks import integer
from mezzo._dtypes import ElementType, element_type
from mezzo._elf import api_symbol
from mezzo._mezzo import Error


@dataclass(frozen=True)
class NodeArg:
    """An input or an output of a model.

    `type` is ONNX Runtime's word, such as "tensor(float)". `shape` has a number for a dimension of fixed size, a name
    for one that is dynamic, and None for one that is dynamic and has no name.
    """

    name: str
    type: str
    shape: list[int | str | None]


class _Tensor:
    """A tensor of the signature, with its element type at hand."""

    def __init__(self, entry: dict[str, Any]):
        self.name: str = entry["name"]
        self.kind: ElementType = element_type(entry["dtype"], self.name)
        self.dims: list[int | str] = entry["dims"]

    def argument(self) -> NodeArg:
        return NodeArg(self.name, f"tensor({self.kind.onnx})", [None if dim == "?" else dim for dim in self.dims])

    def describe(self, value: Array, sizes: dict[str, tuple[int, str]]) -> tuple[np.ndarray, int, int, tuple[int, ...]]:
        """What the model is passed for `value`: (buffer, type code, bits, shape), nothing copied.

        TypeError: no array, another dtype, not contiguous. Error: another rank or shape. `sizes` remembers the size of
        every named dimension, and who said so.
        """
        what = f"input '{self.name}'"
        array = as_array(value, what)
        if array.dtype != self.kind.numpy:
            raise TypeError(
                f"{what} has dtype {array.dtype}, the model was compiled for {self.kind.numpy}: "
                f"pass it as .astype('{self.kind.numpy}')"
            )
        if not array.dtype.isnative or not array.flags.aligned:
            raise TypeError(f"{what} is byte-swapped or unaligned: pass numpy.array(x, dtype='{self.kind.numpy}')")
        if not array.flags.c_contiguous:
            raise TypeError(f"{what} is not C-contiguous: pass numpy.ascontiguousarray(x)")
        self._check_shape(what, array.shape, sizes)
        return self.kind.pack(array), self.kind.code, self.kind.bits, array.shape

    def allocate(self, shape: tuple[int, ...]) -> np.ndarray:
        """Room for an output: elements of fewer than 8 bits come packed."""
        if self.kind.bits >= 8:
            return np.empty(shape, self.kind.numpy)
        return np.empty(-(-int(np.prod(shape)) * self.kind.bits // 8), np.uint8)

    def finish(self, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What `allocate` has made, filled, as the user is to see it."""
        return array if self.kind.bits >= 8 else self.kind.unpack(array, shape)

    def _check_shape(self, what: str, shape: tuple[int, ...], sizes: dict[str, tuple[int, str]]) -> None:
        wanted = "[" + ", ".join(map(str, self.dims)) + "]"
        if len(shape) != len(self.dims):
            raise Error(
                f"{what} has {len(shape)} dimensions, the model has {len(self.dims)} {wanted}: reshape the array"
            )
        for axis, (size, dim) in enumerate(zip(shape, self.dims)):
            if isinstance(dim, int):
                if size != dim:
                    raise Error(
                        f"{what} has shape {list(shape)}, the model was compiled for {wanted}: "
                        f"axis {axis} must be {dim}; pad or crop the array, or compile again with shapes="
                    )
            elif dim != "?":
                first, where = sizes.setdefault(dim, (size, f"axis {axis} of {what}"))
                if first != size:
                    raise Error(
                        f"'{dim}' is {size} in axis {axis} of {what} and {first} in {where}: "
                        "dimensions of one name must have one size"
                    )


class InferenceSession:
    """A compiled model, ready to run.

        session = mezzo.InferenceSession("model.so")
        y, = session.run(None, {"x": x})

    path: the shared object that `mezzo.compile` wrote.
    threads: how many a run uses; 0 means $MEZZO_NUM_THREADS, else as many as the CPUs of this process. Results do not
        depend on it.
    weights: the file with the weights, where they are not in the shared object; None: where the compiler put it.

    A session may be used by any number of Python threads at a time: `run` releases Python's lock, and each run that
    goes on at the same time has scratch memory of its own.

    Errors: `mezzo.Error` where the file is no compiled model, needs features that the CPU lacks, or lost its weights.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, threads: int = 0, weights: str | os.PathLike[str] | None = None
    ):
        path = os.path.abspath(os.fsdecode(path))
        beside = None if weights is None else os.fsdecode(weights)
        self._model = _mezzo.Model(path, api_symbol(path), beside, integer(threads, "threads"))
        self._signature = json.loads(self._model.signature)
        self._inputs = [_Tensor(entry) for entry in self._signature["inputs"]]
        self._outputs = [_Tensor(entry) for entry in self._signature["outputs"]]
        self._templates = [(None, t.kind.code, t.kind.bits, [0] * len(t.dims)) for t in self._outputs]

    def get_inputs(self) -> list[NodeArg]:
        """The inputs, in the model's order."""
        return [tensor.argument() for tensor in self._inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs, in the model's order."""
        return [tensor.argument() for tensor in self._outputs]

    def get_modelmeta(self) -> dict[str, str]:
        """How the model was made: "tool", "target", "compute", "source_sha256"."""
        return {key: value for key, value in self._signature.items() if key not in ("inputs", "outputs")}

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array]) -> list[np.ndarray]:
        """Computes the outputs called `output_names` (None, or none of them: all), in that order, as new arrays.

        `input_feed` has an array for every input, by name: NumPy's, or one of another library that speaks DLPack;
        C-contiguous, of the input's dtype and shape. It is read in place. bfloat16 and 8-bit floats are those of the
        package ml_dtypes.

        Errors: TypeError where something is no array, has another dtype or is not contiguous; `mezzo.Error` for an
        input that is missing or unknown, an unknown output, and other shapes than the model's.
        """
        chosen = self._choose(output_names)
        known = {tensor.name for tensor in self._inputs}
        for name in input_feed:
            if name not in known:
                raise Error(f"the model has no input '{name}': its inputs are {_names(self._inputs)}")
        sizes: dict[str, tuple[int, str]] = {}
        described = []
        for tensor in self._inputs:
            if tensor.name not in input_feed:
                raise Error(f"input '{tensor.name}' is missing: pass {_names(self._inputs)}")
            described.append(tensor.describe(input_feed[tensor.name], sizes))

        results: list[np.ndarray] = []
        shapes_of: list[tuple[int, ...]] = []

        def allocate(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
            shapes_of.extend(shapes)
            results.extend(tensor.allocate(shape) for shape, tensor in zip(shapes, self._outputs))
            return [array.view(tensor.kind.storage) for array, tensor in zip(results, self._outputs)]

        self._model.run(described, self._templates, allocate)
        return [self._outputs[index].finish(results[index], shapes_of[index]) for index in chosen]

    def _choose(self, output_names: Sequence[str] | None) -> Sequence[int]:
        if isinstance(output_names, str):
            raise TypeError("output_names is a string: pass a list of names, or None for all outputs")
        if not output_names:
            return range(len(self._outputs))
        index = {tensor.name: i for i, tensor in enumerate(self._outputs)}
        for name in output_names:
            if name not in index:
                raise Error(f"the model has no output '{name}': its outputs are {_names(self._outputs)}")
        return [index[name] for name in output_names]

    def __repr__(self) -> str:
        def show(tensors: list[_Tensor]) -> str:
            return ", ".join(f"{t.name}: {t.kind.name}{t.dims}" for t in tensors)

        return f"<mezzo.InferenceSession ({show(self._inputs)}) -> ({show(self._outputs)})>"


def _names(tensors: list[_Tensor]) -> str:
    return ", ".join(f"'{tensor.name}'" for tensor in tensors) or "none"
