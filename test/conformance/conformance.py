#!/usr/bin/env python3
"""Runs ONNX's backend node tests in three variants and says what passes.

    conformance.py                           all variants; prints counts, and what is wrong
    conformance.py --write                   also rewrites docs/conformance.md and refused.txt beside this file
    conformance.py --variant static -k Reduce  some cases of one variant, with the message of every one that fails
    conformance.py --shard 3/8               every eighth case
    conformance.py -k Reduce --merge old.json --write    the page, with new verdicts for some cases

Exits with 1 where an answer is wrong or a process has crashed, and where a case is refused that refused.txt does not
know of.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import sys
import time

import onnx
import page
import suite

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REFUSED = HERE / "refused.txt"


def read_refused() -> set[str]:
    return {line for line in REFUSED.read_text().splitlines() if line and not line.startswith("#")}


def write_refused(names: list[str]) -> None:
    head = (
        "# Node tests of ONNX that are refused with static shapes; the others pass, and CI sees to it.\n"
        "# Written by conformance.py --write; why each is refused is in docs/conformance.md.\n"
    )
    REFUSED.write_text(head + "".join(f"{name}\n" for name in names))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", action="append", choices=list(suite.VARIANTS))
    parser.add_argument("-k", metavar="REGEX", help="only cases that match")
    parser.add_argument("--shard", metavar="I/N", help="only every Nth case, from the Ith on")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="write all verdicts")
    parser.add_argument("--merge", metavar="FILE", action="append", default=[],
                        help="verdicts of an earlier run, for the cases that are not run now")
    parser.add_argument("-v", action="store_true", help="print every refusal, too")
    options = parser.parse_args()
    if options.write and (options.variant or options.k or options.shard) and not options.merge:
        parser.error("--write needs all variants and all cases, or --merge")

    results: dict[str, list[suite.Verdict]] = {}
    for variant in options.variant or suite.VARIANTS:
        functions = suite.cases(variant)
        if options.k:
            functions = {name: test for name, test in functions.items() if re.search(options.k, name)}
        if options.shard:
            index, count = map(int, options.shard.split("/"))
            functions = dict(list(functions.items())[index % count :: count])
        start = time.monotonic()
        results[variant] = suite.run(functions, options.jobs)
        seconds = time.monotonic() - start
        report(variant, results[variant], seconds, options.v or bool(options.k))
    for path in options.merge:
        merge(results, json.loads(pathlib.Path(path).read_text()))
    if options.json:
        rows = {variant: [vars(verdict) for verdict in verdicts] for variant, verdicts in results.items()}
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1))
    if options.write:
        results = {variant: results[variant] for variant in suite.VARIANTS}
        (ROOT / "docs" / "conformance.md").write_text(page.render(results, onnx.__version__))
        write_refused([verdict.case for verdict in results["static"] if verdict.kind == "refused"])

    broken = [v for verdicts in results.values() for v in verdicts if v.kind in ("wrong", "crashed")]
    known = read_refused()
    lost = [v for v in results.get("static", []) if v.kind == "refused" and v.case not in known]
    won = [v for v in results.get("static", []) if v.kind == "passed" and v.case in known]
    for verdict in lost:
        print(f"{verdict.case}: is refused, but used to pass: {verdict.message}")
    if won:
        print(f"{len(won)} cases pass that used to be refused, such as {won[0].case}: run conformance.py --write")
    return 1 if broken or lost else 0


def merge(results: dict[str, list[suite.Verdict]], earlier: dict[str, list[dict]]) -> None:
    """Adds verdicts of an earlier run of cases that have none yet."""
    for variant, rows in earlier.items():
        known = {verdict.case: verdict for verdict in results.get(variant, [])}
        for row in rows:
            known.setdefault(row["case"], suite.Verdict(**row))
        results[variant] = [known[case] for case in sorted(known)]


def report(variant: str, verdicts: list[suite.Verdict], seconds: float, verbose: bool) -> None:
    counts = collections.Counter(verdict.kind for verdict in verdicts)
    for verdict in verdicts:
        if verdict.kind in ("wrong", "crashed") or (verbose and verdict.kind == "refused"):
            print(f"{variant} {verdict.case}: {verdict.kind}: {verdict.message}\n")
    print(
        f"{variant}: {counts['passed']} of {len(verdicts)} passed, {counts['refused']} refused, "
        f"{counts['wrong']} wrong, {counts['crashed']} crashed, in {seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    os.environ.setdefault("MEZZO_NUM_THREADS", "1")
    sys.exit(main())
