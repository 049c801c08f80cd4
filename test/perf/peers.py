#!/usr/bin/env python3
"""Times Mezzo's products against other libraries': one process, one run, in turns.

    ./dev perf                                        everything; six minutes
    ./dev perf --rows int4/g32 --m 1,128              some of it
    ./dev perf --threads 2 --neighbours 1             beside a program that wants a CPU, too
    ./dev perf --json out.json --picture out.svg

Every product is checked first: its results are compared with NumPy's. docs/performance.md says how to read the table.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev perf", description=__doc__.splitlines()[0])
    words = lambda text: [word.strip() for word in text.split(",") if word.strip()]
    numbers = lambda text: [int(word) for word in words(text)]
    cpus = range(1, len(os.sched_getaffinity(0)) + 1)
    parser.add_argument("--rows", type=words, default=[], metavar="NAME,...", help="rows whose names begin so")
    parser.add_argument("--m", type=numbers, default=[1, 8, 128, 512], metavar="M,...", help="rows of the activation")
    parser.add_argument("--n", type=int, default=4096, help="rows of the weight")
    parser.add_argument("--k", type=int, default=4096, help="columns of both; a multiple of 256")
    parser.add_argument("--threads", type=int, default=1, choices=cpus, metavar="T", help="of every library")
    parser.add_argument("--seconds", type=float, default=2, metavar="S", help="for each row and m")
    parser.add_argument("--isa", choices=["native", "avx2"], default="native", help="what all but ONNX Runtime may use")
    parser.add_argument("--neighbours", type=int, default=0, metavar="N", help="programs that use a CPU meanwhile")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all numbers go")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="a picture of them: .svg or .png")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="show this JSON again")
    parser.add_argument("--list", action="store_true", help="name the rows and stop")
    options = parser.parse_args()
    if options.n % 8 or options.k % 256 or min(options.n, options.k, *options.m) < 1:
        parser.error(f"--n {options.n}, --k {options.k}: use multiples of 8 and of 256, for the sake of ggml's blocks")
    return options


def prepare(options: argparse.Namespace) -> None:
    """What must be settled before a library is loaded: threads, CPUs, and who may use which instructions."""
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MEZZO_NUM_THREADS"):
        os.environ.pop(name, None)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    if options.isa == "avx2":
        os.environ["OPENBLAS_CORETYPE"] = "Haswell"
    # The last CPUs: interrupts tend to go to the first.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.threads :])
    sys.path.insert(0, str(ROOT / "build" / "python"))


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Programs that compute all the time, on the CPUs of this one."""
    programs = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def ggml_folder(isa: str) -> Path:
    packages = Path(sys.prefix) / "ggml-avx2" if isa == "avx2" else Path(sys.prefix).glob("lib/python3*/site-packages")
    packages = packages if isinstance(packages, Path) else next(packages, Path(sys.prefix))
    folder = packages / "llama_cpp" / "lib"
    if not folder.exists():
        sys.exit(f"peers: error: ggml is not built for {isa}: run `./dev perf setup{' avx2' if isa == 'avx2' else ''}`")
    return folder


def measure(options: argparse.Namespace) -> dict:
    """Runs the comparison. Errors: LookupError for a name of no row."""
    import machine
    import report
    import rows
    from comparison import Comparison

    chosen = rows.choose(options.rows)
    libraries = rows.load(ggml_folder(options.isa), options.threads)
    comparison = Comparison(libraries, options)
    result = report.head(options, libraries)
    with neighbours(options.neighbours):
        for row in chosen:
            begin = time.monotonic()
            try:
                result["rows"].append(comparison.run(row))
            except (RuntimeError, ValueError) as error:  # the other rows are worth their time all the same
                result["failed"][row.name] = str(error)
            print(f"{row.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    result["load_average_after"] = machine.load_average()
    return result


def main() -> None:
    options = arguments()
    prepare(options)
    # These load the libraries, so they must come after.
    import picture
    import report
    import rows

    if options.list:
        print("\n".join(row.name for row in rows.ROWS))
        return
    try:
        result = report.read_json(options.earlier) if options.earlier else measure(options)
    except (LookupError, OSError) as error:
        sys.exit(f"peers: error: {error}")
    print(report.markdown(result))
    if options.json:
        report.write_json(result, options.json)
    if options.picture and result["rows"]:
        picture.draw(result, options.picture)
    for name, error in result["failed"].items():
        print(f"peers: error: {name}: {error}", file=sys.stderr)
    sys.exit(1 if result["failed"] else 0)


if __name__ == "__main__":
    main()
