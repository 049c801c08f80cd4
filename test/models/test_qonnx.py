"""QONNX models against the formulas of its operators, written in numpy: exact, but for products, whose sums are."""

import subprocess

import numpy as np
import onnx
import pytest

import abi
from builders.qonnx import QONNX


def compiled(folder, model, *flags):
    source, target = folder / "m.onnx", folder / "m.so"
    onnx.save(model, source)
    command = ["mezzo", "compile", str(source), "-o", str(target), "--remarks", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return abi.Model(target, "m"), done.stderr


@pytest.mark.parametrize("name", sorted(QONNX))
def test_equals_the_formulas(tmp_path, name):
    case = QONNX[name]()
    model, _ = compiled(tmp_path, case.model())
    with model.context(2) as context:
        outputs = context.run(case.graph.feeds)
    model.close()
    for tensor, want in case.expected.items():
        if name.startswith("product"):
            np.testing.assert_allclose(outputs[tensor], want, rtol=1e-5, atol=1e-5, err_msg=tensor)
        else:
            np.testing.assert_array_equal(outputs[tensor], want, err_msg=tensor)


@pytest.mark.parametrize("name, spec", [("product-int3-channel", "int3[-3,3]/ch"), ("product-bipolar", "odd1/ch")])
def test_products_read_codes_of_their_width(tmp_path, name, spec):
    model, remarks = compiled(tmp_path, QONNX[name]().model())
    model.close()
    assert f"native_dot for {spec} in mode int" in remarks
