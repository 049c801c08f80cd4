"""Passes and pipelines on IR text, as `mezzo-opt` runs them.

    mezzo.passes.run(ir, "canonicalize,cse")
    mezzo.passes.run(ir, "mezzo-tensor{compute=int}")
"""

from mezzo import _child
from mezzo._checks import text
from mezzo.compiler import Message, messages


def run(ir: str, pipeline: str, *, said: list[Message] | None = None, in_process: bool = False) -> str:
    """Runs a pipeline on a module in MLIR's text form and returns the result as text.

    pipeline: passes separated by commas, with or without "builtin.module(...)" around them. All of MLIR's passes are
        there, and Mezzo's; the stages of a compilation are `mezzo-tensor`, `mezzo-select`, `mezzo-kernel`,
        `mezzo-bufferize` and `mezzo-lower`, and all of them `mezzo-compile`.
    said: a list that warnings and remarks are appended to.
    in_process: run in this process rather than in a child, which saves half a second; but then a crash of a pass may
        end this process.

    Errors: `mezzo.Error` with the diagnostics, where the text or the pipeline cannot be read, or a pass fails;
    `mezzo.InternalError` where one crashes.
    """
    arguments = (text(ir, "ir"), text(pipeline, "pipeline"))
    ((result, remarks),) = _child.call([("run_passes", arguments)], in_process)
    if said is not None:
        said.extend(messages(remarks))
    return result
