"""Compiling models, and showing what becomes of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mezzo import _mezzo
from mezzo._mezzo import Error, InternalError

_SEVERITIES = ("error", "warning", "remark")


class Message(NamedTuple):
    """What the compiler had to say about a compilation that succeeded."""

    severity: str  # "warning" or "remark"
    text: str


class Trace(dict[str, str]):
    """The text of a model after each stage, by the stage's name. `print` shows them all."""

    def __str__(self):
        return "\n".join(f"----- {stage} -----\n{text}" for stage, text in self.items())


def compile(
    model: str | os.PathLike,
    output: str | os.PathLike,
    *,
    target: str = "native",
    compute: str | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    weights: str = "auto",
    strict_dq: bool = False,
    verify_inputs: bool = True,
    prefix: str | None = None,
    strategy: str | None = None,
    tile: str | None = None,
    in_process: bool = False,
) -> list[Message]:
    """Compiles an ONNX model to a shared object, with a C header beside it.

    target: "native" (this CPU), "x86-64-v3", ...
    compute: the arithmetic of quantized products, "float" or "int"; None: what the model says, else "float".
    dims: sizes of named dimensions, {"batch": 1}. What is not fixed stays dynamic.
    shapes: whole shapes of inputs, {"x": [1, 3, 224, 224]}.
    weights: "embed", "file" (model.weights beside model.so) or "auto" (embed up to 16 MiB).
    strict_dq: keep the rounding of every DequantizeLinear.
    verify_inputs: check the tensors of every run.
    prefix: of the exported symbol; None: from the name of the output.
    strategy, tile: force the choice for all products, for experiments; results do not depend on them.
    in_process: compile in this process, which saves the start of another; but a bug of the compiler may then end it.

    Returns warnings and remarks. Errors: `mezzo.Error` with all that is wrong with the model, one per line; no file is left.
    `mezzo.InternalError` for a bug of the compiler.
    """
    options = dict(target=target, compute=compute, strategy=strategy, tile=tile, prefix=prefix, weights=weights)
    options |= dict(dims=dict(dims or {}), shapes=_lists(shapes), strict_dq=strict_dq, no_verify=not verify_inputs)
    return messages(_call("compile", in_process, os.fspath(model), os.fspath(output), options))


def trace(
    model: str | os.PathLike,
    stages: Sequence[str] = ("mezzo", "tile", "llvm", "asm"),
    *,
    target: str = "native",
    compute: str | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    strict_dq: bool = False,
    strategy: str | None = None,
    tile: str | None = None,
    in_process: bool = False,
) -> Trace:
    """What an ONNX model is after each stage of its compilation.

        print(mezzo.trace("model.onnx"))
        mezzo.trace("model.onnx", ["tile"])["tile"]

    stages: "mezzo" (one form for everything quantized) and "tile" (kernels) are MLIR, "llvm" is LLVM IR, "asm" assembly.
    Other arguments and errors as in `compile`. Each stage is compiled to anew.
    """
    options = dict(target=target, compute=compute, strategy=strategy, tile=tile, strict_dq=strict_dq)
    options |= dict(dims=dict(dims or {}), shapes=_lists(shapes))
    return Trace((stage, _call("emit_text", in_process, os.fspath(model), stage, options)) for stage in stages)


def messages(pairs) -> list[Message]:
    """What the module returns, for people."""
    return [Message(_SEVERITIES[severity], text) for severity, text in pairs]


def _lists(shapes):
    return {name: list(shape) for name, shape in (shapes or {}).items()}


def _call(function: str, in_process: bool, *arguments):
    """Calls a function of the module, here or in a child process."""
    if in_process:
        return getattr(_mezzo, function)(*arguments)
    # The child must find this package wherever we did, and nothing in the current folder.
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    child = subprocess.run(
        [sys.executable, "-m", "mezzo._worker"],
        input=json.dumps({"function": function, "arguments": arguments}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"},
    )
    try:
        answer = json.loads(child.stdout)
    except json.JSONDecodeError:
        raise InternalError(_how_it_died(child)) from None
    if "error" in answer:
        raise (InternalError if answer["internal"] else Error)(answer["error"])
    return answer["result"]


def _how_it_died(child) -> str:
    status = child.returncode
    try:
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    except ValueError:
        how = f"was ended by signal {-status}"
    last = "\n".join(child.stderr.strip().splitlines()[-8:])
    return f"the compiler {how}; this is a bug of mezzo, or memory ran out" + (f":\n{last}" if last else "")
