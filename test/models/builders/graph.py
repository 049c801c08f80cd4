"""A short way to write an ONNX graph down, and the random numbers that go into it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


class Graph:
    """Collects nodes, initializers, inputs and outputs. Values are named by strings; every method returns the name."""

    def __init__(self, name, seed, opset=21):
        self.name = name
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.feeds = {}

    def input(self, name, sample, shape):
        """An input with a sample of its values; `shape` has names for dynamic dimensions."""
        dtype = helper.np_dtype_to_tensor_dtype(sample.dtype)
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        self.feeds[name] = sample
        return name

    def output(self, name, shape, dtype=TensorProto.FLOAT):
        """`shape` None leaves even the rank open."""
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, array, name):
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def raw_constant(self, dtype, shape, raw, name):
        """An initializer of a type that numpy does not have, from its bytes."""
        self.initializers.append(helper.make_tensor(name, dtype, shape, raw, raw=True))
        return name

    def op(self, kind, *inputs, name=None, domain="", outputs=None, **attributes):
        """A node and its output, which is called as the node is: by default after its kind and number. With `outputs`,
        names of several, returns these."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        names = outputs or [name]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes))
        return outputs or name

    def heavy_tailed(self, *shape, scale=1.0):
        """Floats as activations have them: mostly small, a few large (Student's t, 4 degrees of freedom), never 0."""
        values = (self.random.standard_t(4, size=shape) * scale).astype(np.float32)
        values[values == 0] = scale
        return values

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="mezzo-tests")
        # The oldest version that has all element types of this opset, so that older readers can be compared with.
        model.ir_version = 10 if self.opset <= 22 else 11 if self.opset == 23 else 13
        return model


def save(model, path):
    onnx.save_model(model, path)
