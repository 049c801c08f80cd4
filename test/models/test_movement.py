"""Concat, Split, Slice, Dropout and arithmetic with shapes, against ONNX's reference: these move elements, so exactly."""

import re
import subprocess

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import abi
from builders.movement import MOVEMENT, UNFIT


def compiled(folder, case, name, *flags):
    """The model, and the opened shared object."""
    model = case.graph(name).model()
    source, target = folder / "m.onnx", folder / "m.so"
    onnx.save(model, source)
    command = ["mezzo", "compile", str(source), "-o", str(target), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return model, abi.Model(target, "m")


def check(context, reference, feeds):
    outputs = context.run(feeds)
    for tensor, want in zip(reference.output_names, reference.run(None, feeds)):
        assert outputs[tensor].shape == np.shape(want), (tensor, [f.shape for f in feeds.values()])
        np.testing.assert_array_equal(outputs[tensor], want)
        assert outputs[tensor].dtype == want.dtype


@pytest.mark.parametrize("name", sorted(MOVEMENT))
def test_equals_the_reference(tmp_path, name):
    case = MOVEMENT[name]
    model, compiled_model = compiled(tmp_path, case, name)
    with compiled_model.context() as context:
        for feeds in case.feeds():
            check(context, ReferenceEvaluator(model), feeds)
    compiled_model.close()


@pytest.mark.parametrize("name", sorted(name for name, case in MOVEMENT.items() if case.sizes[0]))
def test_equals_the_reference_with_fixed_sizes(tmp_path, name):
    """The same with one of the sizes, often zero, known when the model is compiled."""
    case = MOVEMENT[name]
    flags = [f"--dim={dimension}={size}" for dimension, size in case.sizes[-1].items()]
    model, compiled_model = compiled(tmp_path, case, name, *flags)
    with compiled_model.context() as context:
        check(context, ReferenceEvaluator(model), case.feeds()[-1])
    compiled_model.close()


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_sizes_that_do_not_fit(tmp_path, name):
    """An error that names the node, and a context that is as good as before."""
    case, sizes, message = UNFIT[name]
    model, compiled_model = compiled(tmp_path, case, name)
    (unfit,) = case._replace(sizes=[sizes]).feeds()
    (fit,) = case.feeds()
    reference = ReferenceEvaluator(model)
    with compiled_model.context() as context:
        check(context, reference, fit)
        if message:
            with pytest.raises(RuntimeError, match="status 12: model 'm': " + re.escape(message)):
                context.run(unfit)
        else:
            check(context, reference, unfit)
        check(context, reference, fit)
    compiled_model.close()
