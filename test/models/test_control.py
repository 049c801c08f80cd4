"""If, Loop and Scan, against ONNX's reference."""

import subprocess

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from builders.control import CONTROL, REFUSED, Control
from test_windows import compiled, expected


@pytest.mark.parametrize("name", CONTROL)
def test_equals_onnx_runtime(tmp_path, name):
    case = CONTROL[name]
    model = case.model()
    shared_object = compiled(tmp_path, model)
    with shared_object.context() as context:
        for feeds in case.feeds:
            outputs = context.run(feeds)
            for output, want in zip(model.graph.output, expected(model, feeds)):
                want = np.asarray(want)
                assert (outputs[output.name].shape, outputs[output.name].dtype) == (want.shape, want.dtype)
                np.testing.assert_allclose(outputs[output.name], want, rtol=1e-6, atol=1e-6)
    shared_object.close()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path, name):
    message, text = REFUSED[name]
    source = tmp_path / "m.onnx"
    onnx.save(Control(text, []).model(), source)
    done = subprocess.run(["mezzo", "compile", str(source), "-o", "m.so"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr, done.stderr
