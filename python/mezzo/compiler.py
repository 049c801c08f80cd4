"""Compiling models, and showing what becomes of them."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mezzo import _child
from mezzo._checks import integer, text, text_or_none

_SEVERITIES = ("error", "warning", "remark")


class Message(NamedTuple):
    """What the compiler had to say about something that succeeded."""

    severity: str  # "warning" or "remark"
    text: str


class Trace(dict[str, str]):
    """The text of a model after each stage, by the stage's name. `print` shows them all."""

    def __str__(self) -> str:
        return "\n".join(f"----- {stage} -----\n{text}" for stage, text in self.items())


def compile(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
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
    compute: the arithmetic of quantized products, "float", "int" or "lut8"; None: what the model says, else "float".
    dims: sizes of named dimensions, {"batch": 1}. What is not fixed stays dynamic.
    shapes: whole shapes of inputs, {"x": [1, 3, 224, 224]}.
    weights: "embed", "file" (model.weights beside model.so) or "auto" (embed up to 16 MiB).
    strict_dq: keep the rounding of every DequantizeLinear.
    verify_inputs: check the tensors of every run.
    prefix: of the exported symbol; None: from the name of the output.
    strategy, tile: force the choice for all products, "dequant" or "native_dot" and "rows=4,groups=2", for experiments;
        results do not depend on them.
    in_process: compile in this process rather than in a child, which saves half a second; but then a bug of the
        compiler may end this process.

    Returns warnings and remarks. Errors: `mezzo.Error` with all that is wrong with the model, one per line; no file is
    left. `mezzo.InternalError` for a bug of the compiler, and where the child process died.
    """
    options = _options(target, compute, dims, shapes, strict_dq, strategy, tile)
    options |= dict(
        prefix=text_or_none(prefix, "prefix"), weights=text(weights, "weights"), no_verify=not verify_inputs
    )
    (said,) = _child.call([("compile", (_path(model), _path(output), options))], in_process)
    return messages(said)


def trace(
    model: str | os.PathLike[str],
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

    stages: "mezzo" (one form for everything quantized) and "tile" (kernels) are MLIR, "llvm" is LLVM IR, "asm"
    assembly. Other arguments and errors as in `compile`. Each stage is compiled to anew.
    """
    if isinstance(stages, str):
        raise TypeError("stages is a string: pass a list of names")
    stages = [text(stage, "a stage") for stage in stages]
    options = _options(target, compute, dims, shapes, strict_dq, strategy, tile)
    texts = _child.call([("emit_text", (_path(model), stage, options)) for stage in stages], in_process)
    return Trace(zip(stages, texts))


def messages(pairs: Sequence[tuple[int, str]]) -> list[Message]:
    """What the module returns, for people."""
    return [Message(_SEVERITIES[severity], text) for severity, text in pairs]


def _path(path: str | os.PathLike[str]) -> str:
    return os.fsdecode(path)


def _options(
    target: str,
    compute: str | None,
    dims: Mapping[str, int] | None,
    shapes: Mapping[str, Sequence[int]] | None,
    strict_dq: bool,
    strategy: str | None,
    tile: str | None,
) -> dict[str, Any]:
    """The options that all compilations share, in types that JSON has: NumPy's integers are none."""
    return dict(
        target=text(target, "target"),
        compute=text_or_none(compute, "compute"),
        strategy=text_or_none(strategy, "strategy"),
        tile=text_or_none(tile, "tile"),
        dims={text(name, "a key of dims"): integer(size, f"dims['{name}']") for name, size in (dims or {}).items()},
        shapes={
            text(name, "a key of shapes"): [integer(size, f"a size in shapes['{name}']") for size in shape]
            for name, shape in (shapes or {}).items()
        },
        strict_dq=bool(strict_dq),
    )
