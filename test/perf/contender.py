"""What takes part in a comparison: one library's way to compute y[m, n] = x[m, k] w[n, k]^T."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

ROWS_TO_CHECK = 32
# Ternary weights whose scale is the largest of 256 normal ones reach 0.7; another weight would be at 0.
LEAST_CORRELATION = 0.5
MOST_COPIES = 256


@dataclass(frozen=True)
class Problem:
    """The weight, and how it is to be used."""

    w: np.ndarray  # [n, k] float32
    threads: int
    cold_bytes: int  # what all copies of a quantized weight together must exceed; 0: one copy
    target: str = "native"  # the machine that our own products are compiled for

    @property
    def n(self) -> int:
        return self.w.shape[0]

    @property
    def k(self) -> int:
        return self.w.shape[1]

    def copies(self, weight_bytes: int) -> int:
        return min(max(1, -(-self.cold_bytes // weight_bytes)), MOST_COPIES)


@dataclass
class Product:
    """A product that is ready to run: all memory is allocated, and a run is one call into a library."""

    runs: list[Callable[[], object]]  # one per copy of the weights
    output: np.ndarray  # [m, n] float32; every run writes it
    # Counts the runs. Each copy is touched again only after all others were; products over the same copies share one.
    cursor: Iterator[int] = field(default_factory=itertools.count)
    units: int = 1  # how many times a run does what shall be timed

    def next_run(self) -> Callable[[], object]:
        return self.runs[next(self.cursor) % len(self.runs)]


class Contender(ABC):
    """A library with a weight in its own format.

    name: as it stands in tables.
    weight_bytes: of one copy, as it is read by a product: codes, scales, padding.
    tolerance: how far y may be from the real product of what the library multiplies, relative and root mean square.
    """

    name: str
    weight_bytes: int
    tolerance: float

    def __init__(self, problem: Problem):
        self.problem = problem
        self.resources = ExitStack()  # what `close` gives back

    def close(self) -> None:
        """Gives memory back. Products must not be run any more."""
        self.resources.close()

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.weight_bytes / self.problem.w.size

    @property
    def copies(self) -> int:
        return self.problem.copies(self.weight_bytes)

    @abstractmethod
    def product(self, x: np.ndarray, cold: bool) -> Product:
        """The product with x, over all copies of the weight or over one."""

    @abstractmethod
    def dequantized(self) -> np.ndarray:
        """[n, k] float32: the numbers that the quantized weight stands for."""

    def activations(self, x: np.ndarray) -> np.ndarray:
        """What the library makes of x before it multiplies; x itself where that is within the tolerance."""
        return x

    def facts(self) -> dict:
        """What else is worth keeping with the times."""
        return {}


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialized float32 array on a boundary of 64 bytes: ggml insists on 32, and nobody shall have less."""
    count = int(np.prod(shape))
    raw = np.empty(4 * count + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    return raw[begin : begin + 4 * count].view(np.float32).reshape(shape)


@dataclass(frozen=True)
class Accuracy:
    output: float  # of y against the real product of what was multiplied
    weight: float  # correlation of the dequantized weight with w: 1 for the same, 0 for another one


def check(contender: Contender, product: Product, x: np.ndarray) -> Accuracy:
    """Runs every copy of a product once and compares with the product in double precision of what is multiplied: all
    columns of some rows, and the other copies with the first. It also brings every page of the weights into memory.

    Errors: a RuntimeError where the library did not compute the product. Numbers are relative, root mean square.
    """
    w = contender.dequantized().astype(np.float64)
    weight = _correlation(w, contender.problem.w)
    if not weight > LEAST_CORRELATION:
        raise RuntimeError(f"{contender.name}: its weight is not the one it was given, correlation {weight:.2g}")
    rows = np.unique(np.linspace(0, len(x) - 1, ROWS_TO_CHECK).astype(int))
    wanted = contender.activations(x)[rows].astype(np.float64) @ w.T
    first = None
    for index, run in enumerate(product.runs):
        product.output.fill(np.nan)
        run()
        if first is None:
            first = product.output.copy()
            error = _distance(first[rows], wanted)
            if not (error <= contender.tolerance and np.isfinite(first).all()):
                raise RuntimeError(
                    f"{contender.name} computes another product for m = {len(x)}: its results are {error:.2g} away, "
                    f"and {contender.tolerance:.2g} is what its arithmetic explains"
                )
        elif not np.array_equal(first, product.output):
            raise RuntimeError(f"{contender.name}: copy {index} of the weights gives other results than the first")
    return Accuracy(error, weight)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b) / np.sqrt(np.vdot(a, a) * np.vdot(b, b)))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(a - b)) / np.mean(np.square(np.asarray(b, np.float64)))))
