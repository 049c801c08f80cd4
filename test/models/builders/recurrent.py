"""Graphs of RNN, GRU and LSTM."""

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


class Cell(NamedTuple):
    op: str
    steps: int = 5
    batch: int = 2
    inputs: int = 3
    hidden: int = 4
    bias: bool = True
    lengths: list | None = None
    initial: bool = False
    peepholes: bool = False
    attributes: dict = {}

    def add(self, g, name, variant):
        """`static`: constant weights, all sizes known; `dynamic`: constant weights, steps and batch not known; `inputs`:
        weights are inputs."""

        def sample(*shape):
            return (g.random.standard_normal(shape) * 0.5).astype(np.float32)

        directions = 2 if self.attributes.get("direction") == "bidirectional" else 1
        batch_first = self.attributes.get("layout", 0)
        gates = GATES[self.op] * self.hidden
        steps, batch = (self.steps, self.batch) if variant == "static" else (f"{name}.steps", f"{name}.batch")

        def input_of(tensor, values, shape):
            return g.input(f"{name}.{tensor}", values, shape)

        def weight(tensor, *shape):
            values = sample(*shape)
            if variant == "inputs":
                return input_of(tensor, values, list(shape))
            return g.constant(values, f"{name}.{tensor}")

        def swapped(shape):
            return [shape[1], shape[0], shape[2]] if batch_first else shape

        x = sample(*swapped([self.steps, self.batch, self.inputs]))
        inputs = [input_of("x", x, swapped([steps, batch, self.inputs]))]
        inputs.append(weight("w", directions, gates, self.inputs))
        inputs.append(weight("r", directions, gates, self.hidden))
        inputs.append(weight("b", directions, 2 * gates) if self.bias else "")
        lengths = None if self.lengths is None else np.array(self.lengths, np.int32)
        inputs.append("" if lengths is None else input_of("lengths", lengths, [batch]))
        for tensor in ["h"] + ["c"] * (self.op == "LSTM"):
            shape = swapped([directions, self.batch, self.hidden])
            dims = swapped([directions, batch, self.hidden])
            inputs.append(input_of(tensor, sample(*shape), dims) if self.initial else "")
        if self.peepholes:
            inputs.append(weight("p", directions, 3 * self.hidden))
        while inputs[-1] == "":
            inputs.pop()
        outputs = [f"{name}.{output}" for output in ["y", "yh"] + ["yc"] * (self.op == "LSTM")]
        g.op(self.op, *inputs, name=name, outputs=outputs, hidden_size=self.hidden, **self.attributes)
        for output in outputs:
            g.output(output, None, TensorProto.FLOAT)


RECURRENT = {}
for op in GATES:
    RECURRENT[f"{op}-plain"] = Cell(op)
    RECURRENT[f"{op}-no-bias"] = Cell(op, bias=False, steps=1)
    RECURRENT[f"{op}-reverse"] = Cell(op, initial=True, attributes={"direction": "reverse"})
    RECURRENT[f"{op}-both"] = Cell(op, initial=True, hidden=17, attributes={"direction": "bidirectional"})
    RECURRENT[f"{op}-lengths"] = Cell(op, lengths=[3, 5])
    RECURRENT[f"{op}-lengths-both"] = Cell(
        op, lengths=[1, 4], batch=2, initial=True, attributes={"direction": "bidirectional"}
    )
    RECURRENT[f"{op}-clip"] = Cell(op, attributes={"clip": 0.3})
RECURRENT["GRU-linear"] = Cell("GRU", attributes={"linear_before_reset": 1})
RECURRENT["GRU-linear-both"] = Cell("GRU", attributes={"linear_before_reset": 1, "direction": "bidirectional"})
RECURRENT["LSTM-peepholes"] = Cell("LSTM", peepholes=True, initial=True)
RECURRENT["LSTM-peepholes-both"] = Cell("LSTM", peepholes=True, attributes={"direction": "bidirectional"})
RECURRENT["LSTM-forget"] = Cell("LSTM", attributes={"input_forget": 1})
RECURRENT["RNN-relu"] = Cell("RNN", attributes={"activations": ["Relu"]})
RECURRENT["RNN-affine"] = Cell(
    "RNN", attributes={"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.25]}
)
RECURRENT["LSTM-activations"] = Cell(
    "LSTM",
    attributes={
        "activations": ["HardSigmoid", "Softsign", "ScaledTanh"],
        "activation_alpha": [0.3, 0.7],
        "activation_beta": [0.4, 0.9],
    },
)
RECURRENT["GRU-activations"] = Cell(
    "GRU",
    attributes={"activations": ["Sigmoid", "LeakyRelu"], "activation_alpha": [0.1]},
)

# ONNX Runtime does not take them.
BATCH_FIRST = {
    f"{op}-batch-first": Cell(op, initial=True, attributes={"layout": 1}) for op in GATES
}
