"""Facts about the machine and the versions, kept with every measurement."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What kernels are written for; the other flags of a CPU do not matter here.
_FEATURES = ("avx", "fma", "f16c", "bmi", "amx", "asimd", "sve")


def largest_cache() -> int:
    """Bytes; 32 MiB where the machine does not tell."""
    sizes = [_bytes(_read(path)) for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    return max(sizes, default=32 << 20)


def facts() -> dict:
    cpu = dict(line.split(":", 1) for line in _read("/proc/cpuinfo").split("\n\n")[0].splitlines() if ":" in line)
    cpu = {key.strip(): value.strip() for key, value in cpu.items()}
    flags = set(cpu.get("flags", cpu.get("Features", "")).split())
    return {
        "cpu": cpu.get("model name", platform.processor()),
        "family_model_stepping": [cpu.get(key) for key in ("cpu family", "model", "stepping")],
        "features": sorted(flag for flag in flags if flag.startswith(_FEATURES)),
        "cpus": os.cpu_count(),
        "largest_cache_bytes": largest_cache(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def versions() -> dict:
    """Of what is compared; ggml and OpenBLAS say more about themselves when they are loaded."""
    packages = {name: version(name) for name in ("llama-cpp-python", "onnxruntime", "numpy")}
    return {"mezzo": _commit(), "python": platform.python_version(), **packages}


def load_average() -> float:
    """How many programs wanted to run in the last minute, this one included."""
    return os.getloadavg()[0]


def _commit() -> str:
    """The commit of the sources, with a + behind it where files differ from it."""
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _read(path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text or 0)
