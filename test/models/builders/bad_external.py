"""Models whose external data must be refused: it is not there, is something else, or lies where it must not."""

import os

import onnx
from onnx import TensorProto

from .graph import save
from .small import static_product

BYTES = 1536  # of the codes of static_product


def external(path, keys, dtype=None):
    """A model whose codes are said to lie in another file, by these keys and values."""
    model = static_product(1).model()
    tensor = model.graph.initializer[0]
    assert len(tensor.raw_data) == BYTES
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    if dtype is not None:
        tensor.data_type = dtype
    for key, value in keys:
        tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
    save(model, path)


def located(location, prepare=None, offset="0", length=str(BYTES), dtype=None):
    """Writes the model; `prepare(folder)` puts something at the location first."""

    def write(path):
        if prepare:
            prepare(os.path.dirname(path))
        external(path, [("location", location), ("offset", offset), ("length", length)], dtype)

    return write


def keys(*entries):
    def write(path):
        data_beside("data")(os.path.dirname(path))
        external(path, entries)

    return write


def data_beside(name, count=BYTES):
    """The data, good as it is, in a file of this name, relative to the model's folder."""

    def prepare(folder):
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(bytes(count))

    return prepare


def linked(name, target, make=os.symlink):
    """A link in the model's folder to a file outside, which is there and long enough: it is the way that is refused."""

    def prepare(folder):
        data_beside("../outside/data")(folder)
        if make is os.link:
            target_path = os.path.join(folder, target)
        else:
            target_path = target
        make(target_path, os.path.join(folder, name))

    return prepare


def fifo(folder):
    os.mkfifo(os.path.join(folder, "data"))


def directory(folder):
    os.mkdir(os.path.join(folder, "data"))


def everywhere(path):
    """An absolute location that is there."""
    data_beside("data")(os.path.dirname(path))
    external(path, [("location", os.path.abspath(os.path.join(os.path.dirname(path), "data")))])


def shared_too_often(path):
    """10^4 tensors that are all the same megabyte."""
    data_beside("data", 1 << 20)(os.path.dirname(path))
    model = static_product(1).model()
    for i in range(10_000):
        tensor = model.graph.initializer.add()
        tensor.name, tensor.data_type, tensor.data_location = f"w{i}", TensorProto.UINT8, TensorProto.EXTERNAL
        tensor.dims.append(1 << 20)
        tensor.external_data.append(onnx.StringStringEntryProto(key="location", value="data"))
    save(model, path)


GOOD_DATA = data_beside("data")
BAD_EXTERNAL = {
    "external-missing": (located("missing.data"), "missing.data"),
    "external-parent": (located("../outside/data", data_beside("../outside/data")), "'..' is not allowed"),
    "external-hidden-parent": (located("sub/../../outside/data", data_beside("sub/x")), "'..' is not allowed"),
    "external-absolute": (everywhere, "absolute paths are not allowed"),
    "external-etc": (located("/etc/hostname"), "absolute paths are not allowed"),
    "external-backslash": (located("..\\outside\\data", GOOD_DATA), "backslashes are not allowed"),
    "external-link": (located("data", linked("data", "../outside/data")), "outside of the model's directory"),
    "external-linked-folder": (located("sub/data", linked("sub", "../outside")), "outside of the model's directory"),
    "external-hard-link": (located("data", linked("data", "../outside/data", os.link)), "2 hard links"),
    "external-device": (located("data", lambda folder: os.symlink("/dev/zero", f"{folder}/data")), "outside of the"),
    "external-fifo": (located("data", fifo), "it is a FIFO"),
    "external-directory": (located("data", directory), "it is a directory"),
    "external-empty-location": (located("", GOOD_DATA), "the location is empty"),
    "external-no-location": (keys(("offset", "0")), "its external data has no location"),
    "external-unknown-key": (keys(("location", "data"), ("__class__", "os.system")), "unknown external data key"),
    "external-key-twice": (keys(("location", "data"), ("location", "data")), "is given twice"),
    "external-offset-negative": (located("data", GOOD_DATA, offset="-1"), "a decimal number below 2^63 is needed"),
    "external-offset-hex": (located("data", GOOD_DATA, offset="0x10"), "a decimal number below 2^63 is needed"),
    "external-offset-overflow": (located("data", GOOD_DATA, offset=str(2**63)), "a decimal number below 2^63"),
    "external-offset-beyond": (located("data", GOOD_DATA, offset="1"), "it needs 1536 bytes at offset 1 of 'data'"),
    "external-offset-far": (located("data", GOOD_DATA, offset=str(2**63 - 1)), "it needs 1536 bytes at offset 92233"),
    "external-length": (located("data", GOOD_DATA, length="1535"), "declares 1536 bytes by its dims and type, but 1535"),
    "external-truncated": (located("data", data_beside("data", 1000)), "'data', which has 1000; the file is truncated"),
    "external-strings": (located("data", GOOD_DATA, dtype=TensorProto.STRING), "strings cannot be external"),
    "external-shared-too-often": (shared_too_often, "which they share too often"),
}
