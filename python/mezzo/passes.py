"""Passes and pipelines on IR text, as `mezzo-opt` runs them.

    mezzo.passes.run(ir, "canonicalize,cse")
    mezzo.passes.run(ir, "mezzo-tensor{compute=int}")
"""

from mezzo import _mezzo


def run(ir: str, pipeline: str) -> str:
    """Runs a pipeline on a module in MLIR's text form and returns the result as text.

    pipeline: passes separated by commas, with or without "builtin.module(...)" around them. The stages of a compilation are
    `mezzo-tensor`, `mezzo-select`, `mezzo-kernel`, `mezzo-bufferize` and `mezzo-lower`, and all of them `mezzo-compile`.

    Errors: `mezzo.Error` with the diagnostics, where the text or the pipeline cannot be read, or a pass fails.
    """
    return _mezzo.run_passes(ir, pipeline)[0]
