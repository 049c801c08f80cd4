"""The part of ggml's C interface that one matrix product on the CPU needs (ggml.h, ggml-backend.h, ggml-cpu.h).

Every function here is declared by its signature in those headers; handles are void pointers.
"""

import ctypes
import sys
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path

TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "q2_K": 10, "q3_K": 11, "q4_K": 12, "tq2_0": 35}

_TO_FLOAT = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64)


class _TypeTraits(ctypes.Structure):
    _fields_ = [
        ("type_name", c_char_p),
        ("blck_size", c_int64),
        ("blck_size_interleave", c_int64),
        ("type_size", c_size_t),
        ("is_quantized", c_bool),
        ("to_float", _TO_FLOAT),
        ("from_float_ref", c_void_p),
    ]


class _InitParams(ctypes.Structure):
    _fields_ = [("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool)]


class _ThreadpoolParams(ctypes.Structure):
    _fields_ = [
        ("cpumask", c_bool * 512),
        ("n_threads", c_int),
        ("prio", c_int),
        ("poll", c_uint32),
        ("strict_cpu", c_bool),
        ("paused", c_bool),
    ]


# enum ggml_log_level, text, user data.
_LOG = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
_LOG_WARN = 3


@_LOG
def _log(level, text, _):
    """Warnings and errors only: every repacked tensor is worth a line to ggml."""
    if level >= _LOG_WARN:
        print("ggml:", text.decode(errors="replace").rstrip(), file=sys.stderr)


class _Feature(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_char_p)]


_SIGNATURES = {
    "base": {
        "ggml_log_set": (None, [_LOG, c_void_p]),
        "ggml_version": (c_char_p, []),
        "ggml_init": (c_void_p, [_InitParams]),
        "ggml_free": (None, [c_void_p]),
        "ggml_new_tensor_2d": (c_void_p, [c_void_p, c_int, c_int64, c_int64]),
        "ggml_mul_mat": (c_void_p, [c_void_p, c_void_p, c_void_p]),
        "ggml_nbytes": (c_size_t, [c_void_p]),
        "ggml_get_data": (c_void_p, [c_void_p]),
        "ggml_tensor_overhead": (c_size_t, []),
        "ggml_graph_overhead_custom": (c_size_t, [c_size_t, c_bool]),
        "ggml_new_graph_custom": (c_void_p, [c_void_p, c_size_t, c_bool]),
        "ggml_build_forward_expand": (None, [c_void_p, c_void_p]),
        "ggml_quantize_chunk": (c_size_t, [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]),
        "ggml_get_type_traits": (POINTER(_TypeTraits), [c_int]),
        "ggml_threadpool_params_default": (_ThreadpoolParams, [c_int]),
        "ggml_backend_reg_dev_get": (c_void_p, [c_void_p, c_size_t]),
        "ggml_backend_reg_get_proc_address": (c_void_p, [c_void_p, c_char_p]),
        "ggml_backend_buft_name": (c_char_p, [c_void_p]),
        "ggml_backend_dev_supports_op": (c_bool, [c_void_p, c_void_p]),
        "ggml_backend_alloc_ctx_tensors_from_buft": (c_void_p, [c_void_p, c_void_p]),
        "ggml_backend_buffer_free": (None, [c_void_p]),
        "ggml_backend_cpu_buffer_type": (c_void_p, []),
        "ggml_backend_cpu_buffer_from_ptr": (c_void_p, [c_void_p, c_size_t]),
        "ggml_backend_tensor_alloc": (c_int, [c_void_p, c_void_p, c_void_p]),
        "ggml_backend_tensor_set": (None, [c_void_p, c_void_p, c_size_t, c_size_t]),
        "ggml_backend_graph_plan_create": (c_void_p, [c_void_p, c_void_p]),
        "ggml_backend_graph_plan_free": (None, [c_void_p, c_void_p]),
        "ggml_backend_graph_plan_compute": (c_int, [c_void_p, c_void_p]),
    },
    "cpu": {
        "ggml_backend_cpu_reg": (c_void_p, []),
        "ggml_backend_cpu_init": (c_void_p, []),
        "ggml_backend_cpu_set_n_threads": (None, [c_void_p, c_int]),
        "ggml_backend_cpu_set_threadpool": (None, [c_void_p, c_void_p]),
        "ggml_threadpool_new": (c_void_p, [POINTER(_ThreadpoolParams)]),
    },
}


class Ggml:
    """A loaded libggml; its functions are attributes, without the prefix ggml_."""

    def __init__(self, folder: Path, threads: int):
        """folder: of libggml-base.so and libggml-cpu.so. Errors: FileNotFoundError where they are not there."""
        for part, signatures in _SIGNATURES.items():
            library = ctypes.CDLL(str(_find(folder, f"libggml-{part}.so")), mode=ctypes.RTLD_GLOBAL)
            for name, (result, arguments) in signatures.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name.removeprefix("ggml_"), function)
        self.log_set(_log, None)
        self.registry = self.backend_cpu_reg()
        self.device = self.backend_reg_dev_get(self.registry, 0)
        self.backend = self.backend_cpu_init()
        self.backend_cpu_set_n_threads(self.backend, threads)
        # As llama.cpp does: without one, every graph makes a pool of its own.
        pool = self.threadpool_params_default(threads)
        self.backend_cpu_set_threadpool(self.backend, self.threadpool_new(ctypes.byref(pool)))

    def repack_buffer_type(self):
        """The buffer type of weights that are rearranged when they are set, or None where ggml was built without it."""
        get = self._extension("ggml_backend_dev_get_extra_bufts", POINTER(c_void_p), c_void_p)
        types = get(self.device)
        for index in range(100):
            if not types[index]:
                return None
            if self.backend_buft_name(types[index]) == b"CPU_REPACK":
                return types[index]
        return None

    def features(self) -> dict[str, str]:
        """What the library was compiled for: {"AVX2": "1", ...}."""
        get = self._extension("ggml_backend_get_features", POINTER(_Feature), c_void_p)
        found, features = {}, get(self.registry)
        for index in range(100):
            if not features[index].name:
                break
            found[features[index].name.decode()] = features[index].value.decode()
        return found

    def context(self, tensors: int, graphs: int = 0):
        """Memory for descriptions of so many tensors, and graphs of a few nodes; the tensors' data lies elsewhere."""
        size = tensors * self.tensor_overhead() + graphs * self.graph_overhead_custom(GRAPH_SIZE, False)
        return self.init(_InitParams(size + 4096, None, True))

    def _extension(self, name, result, *arguments):
        return ctypes.CFUNCTYPE(result, *arguments)(self.backend_reg_get_proc_address(self.registry, name.encode()))


GRAPH_SIZE = 8  # nodes


def _find(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"there is no {name} in {folder}: `./dev perf setup` builds it")
    return path

