"""The pure read: what a product with one row cannot beat. The work is done by read.c, compiled when it is needed."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from contender import Product

_SOURCE = Path(__file__).with_name("read.c")


def reads(buffers: list[np.ndarray], threads: int, cursor: Iterator[int]) -> dict[int, Product]:
    """{streams: what reads all of the buffers}, for one stream and two. Times are for one buffer.

    buffers: the copies of a weight. cursor: that of the product over the same copies. A read begins where the product
    would go on, and the product goes on where the read began, so nobody finds in a cache what the other has read.
    """
    function = _compile()
    addresses = (ctypes.c_void_p * len(buffers))(*(buffer.ctypes.data for buffer in buffers))
    size, nothing = buffers[0].nbytes, np.empty((0, 0), np.float32)

    def run(first: int, streams: int):
        if not function(addresses, first, len(buffers), size, streams, threads):
            raise RuntimeError(f"cannot start {threads} threads to read with")

    def product(streams: int) -> Product:
        runs = [functools.partial(run, first, streams) for first in range(len(buffers))]
        return Product(runs, nothing, cursor, units=len(buffers))

    return {streams: product(streams) for streams in (1, 2)}


@functools.cache
def _compile():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise RuntimeError(f"no C compiler for {_SOURCE.name}: install gcc")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "read.so"
        flags = ["-O3", "-march=native", "-pthread", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(_SOURCE), "-o", str(output)], check=True)
        function = ctypes.CDLL(str(output)).read_buffers
    function.restype = ctypes.c_uint64
    size = ctypes.c_int64
    function.argtypes = [ctypes.POINTER(ctypes.c_void_p), size, size, size, ctypes.c_int, ctypes.c_int]
    return function
