"""The backend itself, and two that change a model before they compile it, for testing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from mezzo.backend.worker_process import thread_worker


class MezzoBackendRep(BackendRep):
    """A model that a worker process has compiled."""

    def __init__(self, model: onnx.ModelProto, options: dict[str, Any]):
        self._outputs = [output.name for output in model.graph.output]
        self._worker = thread_worker()
        self._key = self._worker.call("compile", model.SerializeToString(), options)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """`inputs`: a sequence in the order of the model's inputs, or a mapping from their names."""
        arrays = self._worker.call("run", self._key, inputs if isinstance(inputs, dict) else list(inputs))
        return namedtupledict("Outputs", self._outputs)(*arrays)

    def __del__(self):
        if hasattr(self, "_key"):
            self._worker.forget(self._key)


class MezzoBackend(Backend):
    """Compiles for the CPU that it runs on. Keyword arguments of `prepare` are those of `mezzo.compile`."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> MezzoBackendRep:
        cls._check_device(device)
        return MezzoBackendRep(model, kwargs)

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One node as a model of its own. The version of its domain: `opset_version`, else the newest known to onnx."""
        version = kwargs.pop("opset_version", None)
        if version is None:
            version = onnx.defs.onnx_opset_version() if not node.domain else 1
        names = [name for name in node.input if name]
        given = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(names, inputs, strict=True)
        ]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], node.op_type or "node", given, results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, version)])
        return cls.run_model(model, inputs, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.split(":")[0] == "CPU"

    @classmethod
    def _check_device(cls, device: str) -> None:
        if not cls.supports_device(device):
            raise ValueError(f"device '{device}' is not supported: use CPU")


class DynamicShapesBackend(MezzoBackend):
    """Forgets every dimension of every input, and what the model says of the shapes that follow."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> MezzoBackendRep:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        for value in changed.graph.input:
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()
        for value in changed.graph.output:
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
        del changed.graph.value_info[:]
        return super().prepare(changed, device, **kwargs)


class ConstantInputsBackend(MezzoBackend):
    """Makes initializers of all inputs, so each run compiles a model that computes nothing but constants."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> "_ConstantInputsRep":
        cls._check_device(device)
        return _ConstantInputsRep(model, kwargs)


class _ConstantInputsRep(BackendRep):
    def __init__(self, model: onnx.ModelProto, options: dict[str, Any]):
        self._model = model
        self._options = options

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        changed = onnx.ModelProto()
        changed.CopyFrom(self._model)
        known = {tensor.name for tensor in changed.graph.initializer}
        kept = []
        free = [value for value in self._model.graph.input if value.name not in known]
        given = inputs if isinstance(inputs, dict) else dict(zip((value.name for value in free), inputs))
        for value in free:
            array = given.get(value.name)
            if isinstance(array, np.ndarray) and value.type.HasField("tensor_type") and array.dtype != object:
                tensor = numpy_helper.from_array(array, value.name)
                changed.graph.initializer.append(tensor)
            else:  # sequences, optionals and strings have no initializers
                kept.append(value)
        del changed.graph.input[:]
        changed.graph.input.extend(kept)
        return MezzoBackendRep(changed, self._options).run({value.name: given[value.name] for value in kept})
