"""The lit suites: what the tools print, checked by FileCheck.

    dialects    per dialect the trio ops, invalid, fold
    passes      one file per pass
    targets     the spellings of the tile ops
    errors      what a user who made a mistake gets to read
    failing     known bugs: each file says `XFAIL: *` and names its bug; one that passes again fails the suite

One test alone: `lit -v build/test/passes/Tensor/fold.mlir`, with the lit of LLVM's tools.

Environment: MEZZO_ROUNDTRIP=1 runs every `mezzo-opt` with --verify-roundtrip, so that each test also checks that its
input survives printing and parsing, as text and as bytecode. Parameter: -Dmezzo_opt=PROGRAM takes another program
in the place of `mezzo-opt`.
"""

import os

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

SUITES = ["dialects", "passes", "targets", "errors", "failing"]

# What a machine can do and a test may ask for with `REQUIRES: cpu-avx2`, as the kernel spells it in /proc/cpuinfo.
CPU_FACTS = ["avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "asimddp", "i8mm", "sve"]

config.name = "mezzo"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.join(config.mezzo_source_dir, "test")
config.test_exec_root = os.path.join(config.mezzo_build_dir, "test")
config.excludes = [name for name in os.listdir(config.test_source_root) if name not in SUITES]

# `mezzo` itself is found through the PATH: as a substitution, it would also be replaced in `--emit=mezzo`.
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm_config.with_environment("PATH", os.path.join(config.mezzo_build_dir, "bin"), append_path=True)
llvm_config.with_environment("PYTHONPATH", os.path.join(config.mezzo_build_dir, "python"), append_path=True)
llvm_config.with_system_environment(["HOME", "TMPDIR", "XDG_CACHE_HOME"])
config.environment["MEZZO_SOURCE_DIR"] = config.mezzo_source_dir

llvm_config.use_default_substitutions()
round_trip = os.environ.get("MEZZO_ROUNDTRIP", "") not in ("", "0")
mezzo_opt = lit_config.params.get("mezzo_opt", os.path.join(config.mezzo_build_dir, "bin", "mezzo-opt"))
if not os.access(mezzo_opt, os.X_OK):
    lit_config.fatal(f"'{mezzo_opt}' is not there: build it first (./dev build mezzo-opt)")
extra_args = ["--verify-roundtrip"] if round_trip else []
llvm_config.add_tool_substitutions([ToolSubst("mezzo-opt", command=mezzo_opt, extra_args=extra_args)])
config.substitutions.append(("%python", config.python_executable))
config.substitutions.append(("%models", os.path.join(config.mezzo_build_dir, "test", "models")))

config.available_features.add(f"host-{config.host_arch}")
try:
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        facts = set(cpuinfo.read().split())
except OSError:
    facts = set()
config.available_features.update(f"cpu-{fact}" for fact in CPU_FACTS if fact in facts)
