"""What a comparison is kept as, JSON, and what is printed of it, a table in Markdown."""

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path

import machine
from blas_product import openblas_kernel
from rows import Libraries


def head(options: argparse.Namespace, libraries: Libraries) -> dict:
    """Everything that is known before the first row, which go to "rows"."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "n": options.n,
        "k": options.k,
        "m": options.m,
        "threads": options.threads,
        "neighbours": options.neighbours,
        "seconds": options.seconds,
        "isa": options.isa,
        "machine": machine.facts(),
        "versions": {
            **machine.versions(),
            "ggml": libraries.ggml.version().decode(),
            "ggml_features": libraries.ggml.features(),
            "openblas_kernel": openblas_kernel(),
        },
        "load_average_before": machine.load_average(),
        "rows": [],
        "failed": {},  # why a row is not there
    }


def threads(result: dict) -> str:
    text = "1 thread" if result["threads"] == 1 else f"{result['threads']} threads"
    if count := result.get("neighbours", 0):
        text += f", beside {count} busy program" + ("" if count == 1 else "s")
    return text


def clock(result: dict) -> str:
    """The clock that ratios are told in first: "cpu" for one thread, which a neighbour disturbs less, else "wall"."""
    return "cpu" if result["threads"] == 1 else "wall"


def read_us(cell: dict, which: str) -> tuple[float, int]:
    """The better of the pure reads: its median and its number of streams."""
    return min((times[f"{which}_us"], int(streams)) for streams, times in cell["reads"].items())


def gops(cell: dict, name: str, which: str) -> float:
    return 1e-3 * cell["operations"] / cell["times"][name][f"{which}_us"]


def ratios(cell: dict, peer: str, ours: str, which: str) -> tuple[float, float]:
    """How many times as long the peer takes as we do: of medians, and of best samples."""
    theirs, mine = cell["times"][peer], cell["times"][ours]
    return theirs[f"{which}_us"] / mine[f"{which}_us"], theirs[f"{which}_best_us"] / mine[f"{which}_best_us"]


def markdown(result: dict) -> str:
    which = clock(result)
    other = "wall" if which == "cpu" else "cpu"
    names = {"cpu": "CPU time", "wall": "wall time"}
    lines = [
        f"n = {result['n']}, k = {result['k']}, {threads(result)}; {_machine(result)}.",
        f"Mezzo {result['versions']['mezzo']}, {_peers(result)}. "
        f"Load average {result['load_average_before']:.1f} before, {result['load_average_after']:.1f} after.",
        "",
        f"Our lines: median (best) in us of {names[which]}, GOP/s, and with cold weights the share of a pure read",
        "[its GB/s, streams]. Other lines: how many times as long as ours they take: ratio of medians (of bests) in",
        f"{names[which]}, then of medians in {names[other]}. `call`: us of a call without work to speak of, which is in "
        "every time.",
        "",
        "| | bits | call | " + " | ".join(f"m = {m}" for m in result["m"]) + " |",
        "|---|---|---|" + "---|" * len(result["m"]),
    ]
    for row in result["rows"]:
        ours, *peers = row["contenders"]
        cells = [_our_cell(cell, ours["name"], which) for cell in row["cells"]]
        lines.append(_line(f"**{row['name']}**", ours, cells))
        for peer in peers:
            cells = [_peer_cell(cell, peer["name"], ours["name"], which, other) for cell in row["cells"]]
            lines.append(_line(peer["name"], peer, cells))
    missing = sorted({reason for row in result["rows"] for reason in row["missing"]})
    return "\n".join(lines + [f"\nNot there: {reason}." for reason in missing])


def write_json(result: dict, path: Path) -> None:
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _line(name: str, contender: dict, cells: list[str]) -> str:
    return f"| {name} | {contender['bits_per_weight']:.3g} | {contender['call_us']:.1f} | " + " | ".join(cells) + " |"


def _our_cell(cell: dict, name: str, which: str) -> str:
    times = cell["times"][name]
    text = f"{times[f'{which}_us']:.0f} ({times[f'{which}_best_us']:.0f}), {gops(cell, name, which):.0f} GOP/s"
    if cell["reads"]:
        read, streams = read_us(cell, which)
        speed = 1e-3 * cell["read_bytes"] / read
        text += f", {100 * read / times[f'{which}_us']:.0f} % [{speed:.1f}, {streams}]"
    return text


def _peer_cell(cell: dict, peer: str, ours: str, which: str, other: str) -> str:
    median, best = ratios(cell, peer, ours, which)
    return f"{median:.2f} ({best:.2f}), {ratios(cell, peer, ours, other)[0]:.2f}"


def _machine(result: dict) -> str:
    facts = result["machine"]
    family, model, _ = facts["family_model_stepping"]
    features = facts["features"]
    widest = "AVX-512" if "avx512f" in features else "AVX2" if "avx2" in features else facts["machine"]
    return f"{facts['cpu']} (family {family}, model {model}; {widest}), {facts['cpus']} CPUs, kernel {facts['kernel']}"


def _peers(result: dict) -> str:
    versions = result["versions"]
    features = versions["ggml_features"]
    build = "AVX-512" if "AVX512" in features else "AVX2" if "AVX2" in features else "baseline"
    return (
        f"ggml {versions['ggml']} of llama-cpp-python {versions['llama-cpp-python']} (built for {build}), "
        f"ONNX Runtime {versions['onnxruntime']}, "
        f"OpenBLAS of NumPy {versions['numpy']} (kernel {versions['openblas_kernel']})"
    )
