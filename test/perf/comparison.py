"""One row of the comparison: contenders are made, checked, and timed in turns."""

import argparse

import numpy as np

import machine
from contender import Contender, Problem, aligned, check
from mezzo_product import MezzoProduct
from pure_read import reads
from rows import Libraries, Row
from timing import Samples, interleave

# With so few rows a product is bound by memory, so its weights must come from there, as in a model with many layers.
MOST_COLD_ROWS = 8
LEAST_COLD_BYTES = 128 << 20
# The smallest product that every format can express; its time is that of a call.
SMALL = (32, 256)
SECONDS_FOR_CALLS = 0.3
# What we are compiled for under --isa.
OUR_TARGETS = {"native": "native", "avx2": "x86-64-v3"}


class Comparison:
    def __init__(self, libraries: Libraries, options: argparse.Namespace):
        self._libraries, self._options = libraries, options
        self._w = _normal((options.n, options.k), seed=1)

    def run(self, row: Row) -> dict:
        """What is kept of a row. Errors: a RuntimeError where a contender computes something else."""
        options = self._options
        cold_bytes = max(2 * machine.largest_cache(), LEAST_COLD_BYTES) if min(options.m) <= MOST_COLD_ROWS else 0
        calls = self._calls(row)
        contenders, missing = self._contenders(row, self._w, cold_bytes)
        try:
            cells = [self._cell(contenders, m) for m in options.m]
            described = [
                {
                    "name": contender.name,
                    "bits_per_weight": contender.bits_per_weight,
                    "weight_bytes": contender.weight_bytes,
                    "call_us": calls[contender.name],
                    **contender.facts(),
                }
                for contender in contenders
            ]
        finally:
            for contender in contenders:
                contender.close()
        head = {"name": row.name, "spec": row.spec, "mode": row.mode}
        return {**head, "contenders": described, "missing": missing, "cells": cells}

    def _contenders(self, row: Row, w: np.ndarray, cold_bytes: int) -> tuple[list[Contender], list[str]]:
        """Ourselves first, then the peers; and why some peers are not there."""
        problem = Problem(w, self._options.threads, cold_bytes, OUR_TARGETS[self._options.isa])
        contenders, missing = [MezzoProduct(problem, row.spec, row.mode)], []
        for make in row.peers:
            try:
                contenders.append(make(problem, self._libraries))
            except LookupError as reason:
                missing.append(str(reason))
        return contenders, missing

    def _cell(self, contenders: list[Contender], m: int) -> dict:
        options, cold = self._options, m <= MOST_COLD_ROWS
        x = _normal((m, options.k), seed=2)
        products, accuracies = {}, {}
        for contender in contenders:
            products[contender.name] = contender.product(x, cold)
            accuracies[contender.name] = check(contender, products[contender.name], x)
        ours = contenders[0]
        timed = dict(products)
        if cold:
            cursor = products[ours.name].cursor
            for streams, product in reads(ours.maps(m), options.threads, cursor).items():
                timed[f"read {streams}"] = product
        samples = interleave(timed, options.seconds, options.threads)
        operations = 2 * m * options.n * options.k
        return {
            "m": m,
            "cold": cold,
            "times": {
                contender.name: {
                    **samples[contender.name].summary(),
                    "copies": len(products[contender.name].runs),
                    "error": accuracies[contender.name].output,
                    "weight_correlation": accuracies[contender.name].weight,
                }
                for contender in contenders
            },
            "operations": operations,
            "read_bytes": ours.maps(m)[0].nbytes,
            # JSON's keys are strings, so ours are, too.
            "reads": {str(streams): samples[f"read {streams}"].summary() for streams in (1, 2)} if cold else {},
        }

    def _calls(self, row: Row) -> dict[str, float]:
        """Microseconds of a call without work to speak of, by contender: what is in every time."""
        contenders, _ = self._contenders(row, np.ascontiguousarray(self._w[: SMALL[0], : SMALL[1]]), 0)
        try:
            x = _normal((1, SMALL[1]), seed=2)
            products = {contender.name: contender.product(x, False) for contender in contenders}
            for contender in contenders:
                check(contender, products[contender.name], x)
            samples: dict[str, Samples] = interleave(products, SECONDS_FOR_CALLS, self._options.threads)
            return {name: samples[name].summary()["wall_us"] for name in products}
        finally:
            for contender in contenders:
                contender.close()


def _normal(shape: tuple[int, int], seed: int) -> np.ndarray:
    array = aligned(shape)
    array[:] = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return array
