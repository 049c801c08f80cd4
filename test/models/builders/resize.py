"""Graphs of Resize and Upsample: all modes, coordinates and versions."""

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from .graph import Graph


class Resize(NamedTuple):
    image: list
    scales: list | None = None
    sizes: list | None = None
    region: list | None = None
    attributes: dict = {}
    opset: int = 19
    dynamic: bool = True  # whether it may be compiled without knowing the sizes of the image

    def add(self, g, name, variant):
        values = g.random.standard_normal(self.image).astype(np.float32)
        dims = [f"{name}.{axis}" for axis in range(len(self.image))] if variant == "dynamic" else self.image
        inputs = [g.input(f"{name}.x", values, dims)]
        op = "Upsample" if self.opset <= 9 else "Resize"
        attributes = dict(self.attributes)
        if self.opset <= 7:
            attributes["scales"] = self.scales
        elif self.opset <= 10:
            inputs.append(g.constant(np.array(self.scales, np.float32), f"{name}.scales"))
        else:
            inputs.append("" if self.region is None else g.constant(np.array(self.region, np.float32), f"{name}.roi"))
            if self.opset < 13 and self.region is None:
                inputs[1] = g.constant(np.zeros(0, np.float32), f"{name}.roi")
            if self.scales is not None:
                inputs.append(g.constant(np.array(self.scales, np.float32), f"{name}.scales"))
            else:
                inputs.append("" if self.opset >= 13 else g.constant(np.zeros(0, np.float32), f"{name}.scales"))
                inputs.append(g.constant(np.array(self.sizes, np.int64), f"{name}.sizes"))
        g.op(op, *inputs, name=name, outputs=[f"{name}.y"], **attributes)
        g.output(f"{name}.y", None, TensorProto.FLOAT)


UP, DOWN, ODD = [1, 1, 2, 3], [1, 1, 0.5, 0.55], [1, 1, 1.7, 0.8]
IMAGE = [1, 2, 6, 7]
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]

RESIZE = {}
for coordinates in COORDINATES:
    for mode in ("nearest", "linear", "cubic"):
        for kind, how in (
            ("up", {"scales": UP}),
            ("odd", {"scales": ODD}),
            ("down", {"scales": DOWN}),
            ("sizes", {"sizes": [1, 2, 9, 4]}),
        ):
            attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
            RESIZE[f"{mode}-{coordinates}-{kind}"] = Resize(IMAGE, attributes=attributes, **how)
for rounding in ROUNDINGS:
    RESIZE[f"nearest-{rounding}"] = Resize(IMAGE, scales=[1, 1, 1.5, 0.5], attributes={"nearest_mode": rounding})
CROP = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.0}
REGION = [0, 0, 0.2, -0.1, 1, 1, 0.9, 1.2]
for mode in ("nearest", "linear", "cubic"):
    RESIZE[f"{mode}-crop"] = Resize(IMAGE, sizes=[1, 2, 5, 8], region=REGION, attributes={"mode": mode, **CROP})
RESIZE["cubic-exclude-outside"] = Resize(
    IMAGE, scales=UP, attributes={"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5}
)
RESIZE["nearest-3d"] = Resize([1, 2, 3, 4, 5], scales=[1, 1, 2, 2, 2])
RESIZE["linear-1-axis"] = Resize([2, 1, 9], scales=[1, 1, 2.5], attributes={"mode": "linear"})
RESIZE["nearest-larger"] = Resize(
    IMAGE, sizes=[9, 9], dynamic=False, attributes={"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}, opset=18
)
RESIZE["nearest-smaller"] = Resize(
    IMAGE, sizes=[9, 9], dynamic=False, attributes={"axes": [2, 3], "keep_aspect_ratio_policy": "not_smaller"}, opset=18
)
RESIZE["linear-axes"] = Resize(IMAGE, scales=[0.7, 1.3], attributes={"mode": "linear", "axes": [3, 2]}, opset=18)
for opset in (11, 13):
    RESIZE[f"nearest-opset-{opset}"] = Resize(IMAGE, scales=ODD, opset=opset)
    RESIZE[f"linear-opset-{opset}"] = Resize(IMAGE, sizes=[1, 2, 4, 9], attributes={"mode": "linear"}, opset=opset)
RESIZE["nearest-tf-half-pixel"] = Resize(
    IMAGE, scales=ODD, attributes={"coordinate_transformation_mode": "tf_half_pixel_for_nn"}, opset=11
)
for mode in ("nearest", "linear"):
    for opset in (7, 9, 10):
        RESIZE[f"{mode}-opset-{opset}"] = Resize(IMAGE, scales=[1, 1, 2, 1.5], attributes={"mode": mode}, opset=opset)
RESIZE["nearest-opset-10-down"] = Resize(IMAGE, scales=DOWN, opset=10)

# ONNX Runtime leaves out what lies outside of the image; the standard repeats its edge.
SMOOTH = {
    f"smooth-{mode}-{kind}": Resize(
        [1, 1, 9, 11], attributes={"mode": mode, "antialias": 1}, dynamic="scales" in how, **how
    )
    for mode in ("linear", "cubic")
    for kind, how in (("down", {"scales": DOWN}), ("sizes", {"sizes": [1, 1, 3, 14]}))
}


def graph_of(cases, opset, variant):
    g = Graph("resize", 1, opset)
    for name, case in cases.items():
        if case.opset == opset and (case.dynamic or variant == "static"):
            case.add(g, name, variant)
    return g
