"""Compiles the C version of a feed-forward block for a Cortex-M7: `./dev build check-cortex-m7`.

usage: check_cortex_m7.py MEZZO

Needs arm-none-eabi-gcc and a C library for it (Debian's gcc-arm-none-eabi and libnewlib-arm-none-eabi, 0.8 GB installed),
and says so where they are not.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))

from builders.graph import save  # noqa: E402
from builders.transformer import feed_forward  # noqa: E402

COMPILER = "arm-none-eabi-gcc"


def run(*command, cwd=None):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        sys.exit(f"check_cortex_m7: error: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(mezzo):
    if not shutil.which(COMPILER):
        print(f"check_cortex_m7: nothing was checked: there is no {COMPILER} here; install Debian's gcc-arm-none-eabi "
              "and libnewlib-arm-none-eabi")  # fmt: skip
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        model = scratch / "block.onnx"
        save(feed_forward(1, 4, 32, "packed", width=64, hidden=96).model(), str(model))
        for engine in ("dot", "shift-add", "look-up"):
            folder = scratch / engine
            flags = ["--compute", "int", "--dim", "batch=1", "--dim", "sequence=1", "--knobs", f"engine={engine}"]
            run(mezzo, "compile", model, "-o", folder, "--target", "c", *flags)
            run("make", "-s", "cortex-m7", cwd=folder)
            sizes = run("arm-none-eabi-size", "kernel-cortex-m7.o", cwd=folder).splitlines()[1].split()
            code = run("arm-none-eabi-objdump", "-d", "kernel-cortex-m7.o", cwd=folder)
            missing = set(re.findall(r"U (\w+)", run("arm-none-eabi-nm", "kernel-cortex-m7.o", cwd=folder)))
            fused = code.count("vfma.f32")
            assert fused, "fmaf is a call, not an instruction"
            print(f"{engine:10} {sizes[0]} bytes of code and constants, {sizes[2]} of buffers, {fused} vfma.f32, "
                  f"calls {', '.join(sorted(missing)) or 'nothing'}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
