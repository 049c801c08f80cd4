"""The rows of the table in docs/formats.md, as the library says them: `python3 catalogue.py` prints them."""

import numpy as np

import mezzo

# Formats by name, with the group and scale that they usually have.
SPECS = {
    "int8": "int8/g32:f16",
    "int4": "int4/g32:f16",
    "uint4": "uint4/g32:f16+zp",
    "int3": "int3/g128:f16",
    "int2": "int2/g128:f16",
    "odd1": "odd1/g128:f16",
    "ternary": "ternary/g128:f16",
    "e4m3fn": "e4m3fn/g32:e8m0",
    "e4m3": "e4m3/g32:e8m0",
    "e4m3fnuz": "e4m3fnuz/g32:e8m0",
    "e5m2": "e5m2/g32:e8m0",
    "e5m2fnuz": "e5m2fnuz/g32:e8m0",
    "e3m2": "e3m2/g32:e8m0",
    "e2m3": "e2m3/g32:e8m0",
    "e2m1": "e2m1/g32:e8m0",
    "nf4": "nf4/g64:f16",
    "codebook4": "codebook4/g64:f16",
    "codebook3": "codebook3/ch",
    "codebook2": "codebook2/ch",
}

BLOCKS = {
    "NVFP4": "e2m1/g16:e4m3^t:f32",
    "MXFP4": "e2m1/g32:e8m0",
    "MXFP6": "e3m2/g32:e8m0",
    "MXFP8": "e4m3fn/g32:e8m0",
    **{name: mezzo.gguf.spec_of(name) for name in mezzo.gguf.types() if name != "MXFP4"},
}

MODES = ("float", "int", "lut8")
ROWS, COLUMNS = 1024, 4096


def number(value: float) -> str:
    return f"{value:.6g}"


def values_of(spec: str) -> np.ndarray:
    """C of every code of a format."""
    format = spec.split("/")[0]
    for bits in range(8, 0, -1):  # codes that are too wide are refused
        codes = np.arange(1 << bits, dtype=np.uint8)[np.newaxis]
        try:
            w = mezzo.QuantizedTensor.from_parts(f"{format}/ch", codes, np.ones((1, 1), np.float32))
        except mezzo.Error:
            continue
        values = w.values[0]
        # Bits that the format's range leaves out: ternary has three codes.
        return values if format != "ternary" else values[np.abs(values) <= 1]
    raise ValueError(spec)


def codebook_of(spec: str) -> np.ndarray | None:
    """A table of whole numbers, for a format that is any table."""
    if not spec.startswith("codebook"):
        return None
    entries = 1 << int(spec[len("codebook")])
    return np.arange(entries, dtype=np.float32) - entries // 2


def modes_of(spec: str) -> list[str]:
    """The modes that have products of the spec."""
    weight = np.linspace(-1, 1, 64, dtype=np.float32)[np.newaxis]
    w = mezzo.quantize(weight, spec, codebook=codebook_of(spec))
    found = []
    for mode in MODES:
        try:
            mezzo.reference_linear(weight, w, compute=mode)
            found.append(mode)
        except mezzo.Error:
            pass
    return found


def bits_of(spec: str) -> str:
    """True bits per weight of a matrix of usual size, scales and tables included."""
    w = mezzo.quantize(np.zeros((ROWS, COLUMNS), np.float32), spec, codebook=codebook_of(spec))
    return f"{w.bits_per_weight:.4g}"


def format_rows() -> list[str]:
    rows = []
    for name, spec in SPECS.items():
        if name.startswith("codebook"):
            least, most = "any", "any"
        else:
            values = values_of(spec)
            finite = values[np.isfinite(values)]
            positive = finite[finite > 0]
            special = [word for word, test in (("inf", np.isinf), ("NaN", np.isnan)) if test(values).any()]
            least = number(positive.min()) if positive.size else "-"
            most = f"{number(finite.min())} .. {number(finite.max())}" + "".join(f", {word}" for word in special)
        rows.append(f"| `{name}` | {most} | {least} | `{spec}` | {bits_of(spec)} | {', '.join(modes_of(spec))} |")
    return rows


def block_rows() -> list[str]:
    return [f"| {name} | `{spec}` | {file_bits(name)} | {', '.join(modes_of(spec))} |" for name, spec in BLOCKS.items()]


def file_bits(name: str) -> str:
    """Bits per weight of a block as files have it."""
    if name not in mezzo.gguf.types():
        return bits_of(BLOCKS[name])
    return f"{mezzo.gguf.bits_per_weight(name):.5g}"


if __name__ == "__main__":
    print("\n".join(format_rows()), "\n")
    print("\n".join(block_rows()))
