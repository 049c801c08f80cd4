"""An ONNX backend, so that ONNX's own runner and whatever else speaks `onnx.backend.base` can drive the compiler.

    import mezzo.backend
    (y,) = mezzo.backend.run_model(model, [x])

    runner = onnx.backend.test.BackendTest(mezzo.backend.MezzoBackend, __name__)

Models are compiled and run in a worker process, which is started once and used for many: a crash or an endless loop
there is an exception here, `mezzo.InternalError`, and the next model gets a new process. What the compiler refuses, and
what a compiled model refuses of its inputs, is `mezzo.Error`. Needs the package onnx.
"""

from mezzo.backend.backend import (
    ConstantInputsBackend,
    DynamicShapesBackend,
    MezzoBackend,
    MezzoBackendRep,
)

is_compatible = MezzoBackend.is_compatible
prepare = MezzoBackend.prepare
run_model = MezzoBackend.run_model
run_node = MezzoBackend.run_node
supports_device = MezzoBackend.supports_device

__all__ = [
    "ConstantInputsBackend",
    "DynamicShapesBackend",
    "MezzoBackend",
    "MezzoBackendRep",
    "is_compatible",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
]
