"""Times of several products in one run, in turns.

Whatever happens to the machine (its clock, its memory, its neighbours) shall happen to all who take part. So they take
turns, A B C A B C ..., and each comparison is one of medians over the same seconds. A turn is several calls in a row,
since that is how a model calls a kernel; each call is timed by itself. The first call of a turn is not counted: it
pays for the caches and branch predictors that the one before has left, and for waking threads. (Where a call by one
thread is long enough to hide that, a turn is that call.)

Two clocks are read: the wall's, and that of the CPU time of this thread, in which somebody else's time slices do not
count. With several threads, CPU time is that of the whole process, waiting in loops included.
"""

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from contender import Product

TURN = 2e-3  # seconds
FEWEST_ROUNDS, MOST_ROUNDS = 5, 1000
MOST_CALLS = 200  # of a turn
# A call as long as this, by one thread, hides what its predecessor left in the caches.
LONG_CALL = 5e-3
FEWEST_CALLS_OF_THREADS = 3
# Threads of a pool spin for a while when a call is over, in case there is another: 10 ms in ggml, 40 in ONNX Runtime,
# 100 in OpenBLAS. The next turn begins when this process has used less than a tenth of such a time.
CALM = 5e-3
LONGEST_WAIT = 2


@dataclass
class Samples:
    """Microseconds per call."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def summary(self) -> dict:
        wall, cpu = np.array(self.wall), np.array(self.cpu)
        return {
            "samples": len(wall),
            "wall_us": float(np.median(wall)),
            "wall_best_us": float(wall.min()),
            "wall_mean_us": float(wall.mean()),
            "cpu_us": float(np.median(cpu)),
            "cpu_best_us": float(cpu.min()),
        }


def interleave(products: Mapping[str, Product], seconds: float, threads: int) -> dict[str, Samples]:
    """Times all products for about so many seconds together; every one gets FEWEST_ROUNDS turns at least."""
    cpu_clock = time.thread_time_ns if threads == 1 else time.process_time_ns
    lengths = {name: _length_of_call(product) for name, product in products.items()}
    samples = {name: Samples() for name in products}
    collecting = gc.isenabled()
    gc.disable()
    try:
        begin, rounds = time.monotonic(), 0
        while rounds < FEWEST_ROUNDS or (time.monotonic() - begin < seconds and rounds < MOST_ROUNDS):
            for name, product in products.items():
                if threads > 1:
                    _wait_for_calm()
                _turn(product, lengths[name], threads, samples[name], cpu_clock)
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return samples


def _length_of_call(product: Product) -> float:
    """Seconds, roughly."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        product.next_run()()
        times.append(time.perf_counter() - begin)
    return sorted(times)[1]


def _wait_for_calm() -> None:
    begin = time.monotonic()
    while True:
        used = time.process_time()
        time.sleep(CALM)
        if time.process_time() - used < CALM / 10:
            return
        if time.monotonic() - begin > LONGEST_WAIT:
            raise RuntimeError(f"a library still keeps a CPU busy {LONGEST_WAIT} s after its last call; use one thread")


def _turn(product: Product, length: float, threads: int, samples: Samples, cpu_clock) -> None:
    wall_clock = time.perf_counter_ns
    if length < LONG_CALL or threads > 1:
        product.next_run()()
    fewest = FEWEST_CALLS_OF_THREADS if threads > 1 else 1
    for _ in range(min(max(fewest, round(TURN / length)), MOST_CALLS)):
        run = product.next_run()
        wall, cpu = wall_clock(), cpu_clock()
        run()
        cpu, wall = cpu_clock() - cpu, wall_clock() - wall
        samples.wall.append(wall * 1e-3 / product.units)
        samples.cpu.append(cpu * 1e-3 / product.units)
