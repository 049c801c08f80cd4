"""Quantization to integers once more, in numpy: what mezzo.quantize must equal, scale for scale and code for code.

A second writing of the rules, on purpose independent of the library. Everything is [N, K] with groups along K.
"""

import numpy as np

F = np.float32

# name -> (smallest number, largest number, number of a code's raw field)
FORMATS = {
    **{f"uint{n}": (0, (1 << n) - 1, lambda raw, n=n: raw.astype(int)) for n in range(1, 9)},
    **{
        f"int{n}": (
            -(1 << (n - 1)),
            (1 << (n - 1)) - 1,
            lambda raw, n=n: raw.astype(int) - ((raw >> (n - 1)).astype(int) << n),
        )
        for n in range(1, 9)
    },
    "ternary": (-1, 1, lambda raw: raw.astype(int) - ((raw >> 1).astype(int) << 2)),
}
ROUND = {"f32": lambda x: x.astype(F), "f16": lambda x: x.astype(np.float16).astype(F)}


class Reference:
    """The parts of `w` quantized to a format of FORMATS. `offset` is None, "zp", "zp:f16" (a float zero) or "min"."""

    def __init__(self, w, format, group, scale="f32", offset=None):
        self.low, self.high, self.number = FORMATS[format]
        self.w, self.round = w, ROUND[scale]
        self.length = w.shape[1] if group in ("t", "ch") else min(group, w.shape[1])
        starts = np.arange(0, w.shape[1], self.length)
        least, most = (f.reduceat(w.astype(np.float64), starts, axis=1) for f in (np.minimum, np.maximum))
        size = np.add.reduceat(np.abs(w.astype(np.float64)), starts, axis=1) / np.diff([*starts, w.shape[1]])
        if group == "t":
            least[:], most[:], size[:] = least.min(), most.max(), np.abs(w.astype(np.float64)).mean()
        if format == "ternary":
            ideal = size
        elif offset is None:
            ideal = np.maximum(most / self.high if self.high else 0, least / self.low if self.low else 0)
        else:
            if offset == "zp":
                least, most = np.minimum(least, 0), np.maximum(most, 0)
            ideal = (most - least) / (self.high - self.low)
        ideal[ideal <= 0] = 1  # a group that asks for none, such as zeros
        self.scales = self.round(ideal)
        self.zeros = self.minima = None
        if offset == "zp":
            self.zeros = np.clip(np.rint(self.low - least / self.scales), self.low, self.high).astype(int)
        elif offset == "zp:f16":
            self.zeros = ROUND["f16"](self.low - least / self.scales)
        elif offset == "min":
            self.minima = self.round(least - self.scales.astype(np.float64) * self.low)

    @property
    def offsets(self):
        return self.minima if self.zeros is None else self.zeros

    def spread(self, per_group):
        return np.repeat(per_group, self.length, axis=1)[:, : self.w.shape[1]]

    @property
    def numbers(self):
        """What the codes stand for, int [N, K]."""
        scales = self.spread(self.scales)
        if self.minima is not None:
            position = np.rint((self.w - self.spread(self.minima)) / scales)
        elif self.zeros is None:
            position = np.rint(self.w / scales)
        elif self.zeros.dtype == F:
            position = np.rint(np.clip(self.w / scales + self.spread(self.zeros), self.low, self.high))
        else:
            position = np.rint(self.w / scales) + self.spread(self.zeros)
        return np.clip(position, self.low, self.high).astype(int)

    @property
    def values(self):
        """W again, float32: one rounding where there is no minimum."""
        scales, numbers = self.spread(self.scales).astype(np.float64), self.numbers
        if self.minima is not None:
            return (scales * numbers + self.spread(self.minima)).astype(F)
        return (scales * (numbers - (0 if self.zeros is None else self.spread(self.zeros)))).astype(F)
