"""Concat, Split, Slice, Dropout and arithmetic with shapes, against ONNX's reference: these move elements, so exactly."""

import subprocess

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import abi
from builders.movement import MOVEMENT


@pytest.mark.parametrize("name", sorted(MOVEMENT))
def test_equals_the_reference(tmp_path, name):
    case = MOVEMENT[name]
    model = case.graph(name).model()
    source, target = tmp_path / "m.onnx", tmp_path / "m.so"
    onnx.save(model, source)
    done = subprocess.run(["mezzo", "compile", str(source), "-o", str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reference = ReferenceEvaluator(model)
    compiled = abi.Model(target, "m")
    with compiled.context() as context:
        for feeds in case.feeds():
            outputs = context.run(feeds)
            for tensor, want in zip(reference.output_names, reference.run(None, feeds)):
                assert outputs[tensor].shape == np.shape(want), (tensor, [f.shape for f in feeds.values()])
                np.testing.assert_array_equal(outputs[tensor], want)
                assert outputs[tensor].dtype == want.dtype
    compiled.close()
