"""What is compared with what.

A row is one of our products and its peers: what a user would run instead, in as many bits per weight as can be had. Our
scales are f16, as ggml's are; its q4_K, q3_K and q2_K carry more: scales of 6 or 4 bits per 16 or 32 weights under f16
ones per 256, and minima in q4_K and q2_K. MatMulNBits has f32 scales.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blas_product import BlasProduct
from contender import Contender, Problem
from ggml import Ggml
from ggml_product import GgmlProduct
from mezzo_product import MezzoProduct
from ort_product import OrtProduct


@dataclass(frozen=True)
class Libraries:
    """What peers are loaded from."""

    ggml: Ggml


Maker = Callable[[Problem, Libraries], Contender]


def ggml(kind: str, repack: bool = False) -> Maker:
    return lambda problem, libraries: GgmlProduct(problem, libraries.ggml, kind, repack)


def ort(bits: int, block: int, level: int) -> Maker:
    return lambda problem, libraries: OrtProduct(problem, bits, block, level)


def sgemm(problem: Problem, libraries: Libraries) -> Contender:
    return BlasProduct(problem)


def ourselves(spec: str, mode: str) -> Maker:
    return lambda problem, libraries: MezzoProduct(problem, spec, mode)


@dataclass(frozen=True)
class Row:
    name: str  # "int4/g32 int": the spec without its scale, and the mode
    peers: tuple[Maker, ...]

    @property
    def spec(self) -> str:
        return f"{self.name.split()[0]}:f16"

    @property
    def mode(self) -> str:
        return self.name.split()[1]


# tq2_0 has a scale per 256 weights, so our ternary weights have, too.
ROWS = (
    Row("int8/g32 int", (ggml("q8_0"), ort(8, 32, 4))),
    Row("int8/g128 int", (ggml("q8_0"), ort(8, 128, 4))),
    Row("int4/g32 int", (ggml("q4_0", repack=True), ort(4, 32, 4))),
    Row("int4/g128 int", (ggml("q4_0", repack=True), ggml("q4_K", repack=True), ort(4, 128, 4))),
    Row("int3/g128 int", (ggml("q3_K"),)),
    Row("int2/g32 int", (ggml("q2_K"), ggml("q2_K", repack=True), ort(2, 32, 4))),
    Row("int2/g128 int", (ggml("q2_K"), ggml("q2_K", repack=True), ort(2, 128, 4))),
    Row("ternary/g256 int", (ggml("tq2_0"),)),
    # No peer has these widths: what they gain and cost is told against 4 bits.
    Row("int5/g128 int", (ourselves("int4/g128:f16", "int"),)),
    Row("int6/g128 int", (ourselves("int4/g128:f16", "int"),)),
    Row("int7/g128 int", (ourselves("int4/g128:f16", "int"),)),
    # Tables of sums of activations, next to our own dot products and to what else has so few bits.
    Row("odd1/g128 lut8", (ourselves("odd1/g128:f16", "int"),)),
    Row("int2/g128 lut8", (ourselves("int2/g128:f16", "int"), ggml("q2_K"))),
    Row("ternary/g256 lut8", (ourselves("ternary/g256:f16", "int"), ggml("tq2_0"))),
    # f32 activations. (q4_0 has int8 ones: it is here as what llama.cpp would run.)
    Row("int8/g32 float", (ort(8, 32, 0),)),
    Row("int8/g128 float", (ort(8, 128, 0),)),
    Row("int4/g32 float", (ggml("f16"), ggml("q4_0"), ggml("f32"), sgemm, ort(4, 32, 0))),
    Row("int4/g128 float", (ggml("f32"), sgemm, ort(4, 128, 0))),
    Row("int2/g32 float", (ort(2, 32, 0),)),
    Row("int2/g128 float", (ort(2, 128, 0),)),
)


def choose(names: list[str]) -> list[Row]:
    """The rows that are called so, or begin so: "int4" is four of them. All of them for no names.

    Errors: LookupError for a name of no row.
    """
    for name in names:
        if not any(row.name.startswith(name) for row in ROWS):
            raise LookupError(f"there is no row '{name}': use " + ", ".join(row.name for row in ROWS))
    return [row for row in ROWS if not names or any(row.name.startswith(name) for name in names)]


def load(ggml_folder: Path, threads: int) -> Libraries:
    return Libraries(Ggml(ggml_folder, threads))
