"""What a model computes, where ONNX Runtime cannot say: ONNX's reference evaluator with the operators of QONNX."""

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


class Quant(OpRun):
    """Round(clip(x / scale + zeropt)) less the zero point, times the scale; QONNX, IntQuant."""

    op_domain = "onnx.brevitas"

    def _run(self, x, scale, zeropt, bitwidth, narrow=0, rounding_mode="ROUND", signed=1):
        assert rounding_mode == "ROUND", rounding_mode
        if signed:
            low = -(2.0 ** (bitwidth - 1)) + narrow
            high = 2.0 ** (bitwidth - 1) - 1
        else:
            low, high = 0.0 * bitwidth, 2.0**bitwidth - 1 - narrow
        codes = np.round(np.clip(x / scale + zeropt, low, high))
        return (((codes - zeropt) * scale).astype(np.float32),)


def run_qonnx(path, feeds):
    """Outputs of each of the feeds."""
    evaluator = ReferenceEvaluator(onnx.load(path), new_ops=[Quant])
    return [dict(zip(evaluator.output_names, evaluator.run(None, feed))) for feed in feeds]
