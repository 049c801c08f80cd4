"""ONNX's own backend node tests, run by its own runner on our backend, each with a verdict.

The runner loads a case, calls the backend, and compares with its own tolerances; what it raises becomes a verdict:

    passed     nothing
    refused    mezzo.Error: the compiler, or the compiled model, said no
    wrong      AssertionError: other numbers, shapes or types than expected
    crashed    mezzo.InternalError: a bug of the compiler, a crash or a timeout; and whatever else was raised
"""

import concurrent.futures
import re
import traceback
import unittest
from dataclasses import dataclass

import mezzo
from mezzo.backend import ConstantInputsBackend, DynamicShapesBackend, MezzoBackend
from onnx.backend.test.runner import Runner

VARIANTS = {"static": MezzoBackend, "dynamic": DynamicShapesBackend, "constants": ConstantInputsBackend}
SUFFIX = "_cpu"


@dataclass(frozen=True)
class Verdict:
    case: str  # without the runner's suffix: "test_abs"
    kind: str  # "passed", "refused", "wrong", "crashed"
    message: str = ""


def cases(variant: str) -> dict[str, object]:
    """The test functions of the runner, by the name of the case."""
    runner = Runner(VARIANTS[variant], __name__)
    tests = runner.test_cases["OnnxBackendNodeModelTest"]
    names = sorted(name for name in dir(tests) if name.startswith("test_") and name.endswith(SUFFIX))
    return {name.removesuffix(SUFFIX): getattr(tests, name) for name in names}


def judge(case: str, function: object) -> Verdict:
    try:
        function(None)
    except unittest.SkipTest as skipped:
        return Verdict(case, "crashed", f"the runner skipped it: {skipped}")
    except mezzo.Error as error:
        return Verdict(case, "refused", str(error))
    except AssertionError as error:
        return Verdict(case, "wrong", str(error).strip())
    except mezzo.InternalError as error:
        return Verdict(case, "crashed", str(error))
    except Exception:  # a backend that raises anything else is broken
        return Verdict(case, "crashed", traceback.format_exc())
    return Verdict(case, "passed")


def run(functions: dict[str, object], jobs: int, progress=None) -> list[Verdict]:
    """Verdicts in the order of the cases. Every thread has a worker process of its own."""
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for verdict in pool.map(judge, functions, functions.values()):
            verdicts.append(verdict)
            if progress:
                progress(verdict)
    return verdicts


#  Reasons -------------------------------------------------------------------------------------------------------------

_OPERATOR = re.compile(r"operator (\S+) of domain ['\"]([^'\"]*)['\"], version \d+, is not supported")
_NODE = re.compile(r"node (?:that makes )?['\"][^'\"]*['\"] \((\w+)\): (.*)")
_TENSOR = re.compile(r"(input|output|initializer) ['\"][^'\"]*['\"](.*)")


def reason(verdict: Verdict) -> tuple[str, str]:
    """What a refusal is about: the operator ("" where it is none), and why, without names and numbers of the case."""
    operators = sorted({
        f"{name}" if domain == "ai.onnx" else f"{domain}.{name}" for name, domain in _OPERATOR.findall(verdict.message)
    })
    if operators:
        return ", ".join(operators), "operator"
    line = verdict.message.splitlines()[0]
    if found := _NODE.search(line):
        return found[1], _general(found[2])
    if found := _TENSOR.search(line):
        return "", _general(f"{found[1]}{found[2]}")
    return "", _general(line)


def _general(text: str) -> str:
    text = re.split(r"[;:] ", text)[0]
    text = re.sub(r"\[[^\]]*\]", "[...]", text)
    text = re.sub(r"['\"][^'\"]*['\"]", "'...'", text)
    return re.sub(r"(?<![\w.])-?\d+(\.\d+)?", "N", text)
