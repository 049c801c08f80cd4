"""The page docs/conformance.md, from verdicts."""

import collections

import suite

HEAD = """\
<!-- Written by test/conformance/conformance.py --write; do not edit -->

# Conformance

ONNX ships a test per operator and case. Mezzo runs them by ONNX's own runner, on `mezzo.backend`, with the runner's own
tolerances, in three variants: as they are (static shapes); with all dimensions of all inputs forgotten (dynamic); and
with all inputs made initializers (constants). The cases are those of the package onnx {version}: {total} of them, of
which {expanded} are the bodies of functions (`_expanded`).

| variant | cases run | passed | refused | wrong | crashed |
|---|---|---|---|---|---|
{counts}

An answer that is wrong and a crash are bugs. What is refused is refused by a message that says what is not supported;
the tables below count these messages. To run it all again: `ninja -C build check-conformance`.
"""


def render(results: dict[str, list[suite.Verdict]], version: str) -> str:
    static = results["static"]
    rows = []
    for variant, verdicts in results.items():
        kinds = collections.Counter(verdict.kind for verdict in verdicts)
        cells = [variant, str(len(verdicts)), *(str(kinds[kind]) for kind in ("passed", "refused", "wrong", "crashed"))]
        rows.append("| " + " | ".join(cells) + " |")
    text = HEAD.format(
        version=version,
        total=len(static),
        expanded=sum("_expanded" in verdict.case for verdict in static),
        counts="\n".join(rows),
    )
    text += "\n## Refused with static shapes\n\n" + _reasons(static)
    passed = {verdict.case for verdict in static if verdict.kind == "passed"}
    for variant, what in (("dynamic", "dynamic shapes"), ("constants", "constant inputs")):
        only = [verdict for verdict in results[variant] if verdict.case in passed]
        text += f"\n## Refused with {what}, but not with static shapes\n\n" + _reasons(only)
    return text


def _reasons(verdicts: list[suite.Verdict]) -> str:
    """Two tables: operators that are not known, and what is refused of others."""
    operators: collections.Counter[str] = collections.Counter()
    others: collections.Counter[tuple[str, str]] = collections.Counter()
    for verdict in verdicts:
        if verdict.kind != "refused":
            continue
        operator, why = suite.reason(verdict)
        if why == "operator":
            operators[operator] += 1
        else:
            others[operator, why] += 1
    text = ""
    if operators:
        text += "Operators that are not supported, by the cases that need them:\n\n"
        text += ", ".join(f"{name} ({count})" for name, count in _sorted(operators)) + ".\n"
    if others:
        text += "\n" if text else ""
        text += "| cases | operator | reason |\n|---|---|---|\n"
        text += "".join(f"| {count} | {name} | {_cell(why)} |\n" for (name, why), count in _sorted(others))
    return text or "None.\n"


def _sorted(counter: collections.Counter) -> list:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
