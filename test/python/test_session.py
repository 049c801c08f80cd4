"""mezzo.InferenceSession: ONNX Runtime's shape, and a message for everything that does not fit the model."""

import os
import threading

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import abi
import mezzo


def test_has_the_shape_of_onnx_runtime(compiled):
    """Every name, type and shape, and the results, as the other says."""
    for name in ("scalar-arithmetic", "embedding", "static-product"):
        ours = compiled(name).session
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        theirs = onnxruntime.InferenceSession(str(compiled(name).onnx), options)
        for mine, other in ((ours.get_inputs(), theirs.get_inputs()), (ours.get_outputs(), theirs.get_outputs())):
            assert [(t.name, t.type, t.shape) for t in mine] == [(t.name, t.type, t.shape) for t in other]
        feeds = {name: np.asarray(value) for name, value in compiled(name).feeds.items()}
        for mine, other in zip(ours.run(None, feeds), theirs.run(None, feeds), strict=True):
            assert mine.dtype == other.dtype and mine.shape == other.shape
            np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)


def test_equals_the_c_abi(compiled):
    model = compiled("feed-forward-b4-g32-zp")
    plain = abi.Model(model.so, mezzo._elf.api_symbol(str(model.so)).removesuffix("_api"))
    with plain.context(1) as context:
        want = context.run(model.feeds)
    plain.close()
    (y,) = model.session.run(["y"], model.feeds)
    np.testing.assert_array_equal(y, want["y"])


def test_outputs_are_chosen_by_name(compiled):
    session, feeds = compiled("scalar-arithmetic").session, compiled("scalar-arithmetic").feeds
    y, squares = session.run(None, feeds)
    again = session.run(["squares", "y", "squares"], feeds)
    for got, want in zip(again, (squares, y, squares), strict=True):
        np.testing.assert_array_equal(got, want)
    assert len(session.run([], feeds)) == 2  # as in ONNX Runtime


def test_dynamic_sizes_may_change_from_run_to_run(compiled):
    session = compiled("scalar-arithmetic").session
    for n in (1, 0, 7):
        x = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
        y, squares = session.run(None, {"x": x, "scale": np.float32(2), "counts": np.full((n, 1), 3)})
        np.testing.assert_array_equal(y, 3 * x)
        np.testing.assert_array_equal(squares, np.full((n, 1), 9))


def test_inputs_are_read_in_place_and_left_alone(compiled, foreign):
    session, feeds = compiled("static-product").session, compiled("static-product").feeds
    x = feeds["x"].copy()
    x.flags.writeable = False
    (want,) = session.run(None, feeds)
    for same in (x, foreign(feeds["x"].copy()), memoryview(x)):
        np.testing.assert_array_equal(session.run(None, {"x": same})[0], want)
    want[:] = 0  # a result is the caller's
    np.testing.assert_array_equal(x, feeds["x"])


def cast_model(path, onnx_type):
    """y = x as float32, z = y in the type of x again."""
    x, y, z = (
        helper.make_tensor_value_info(n, t, ["n"]) for n, t in zip("xyz", (onnx_type, TensorProto.FLOAT, onnx_type))
    )
    nodes = [
        helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["y"], ["z"], to=onnx_type),
    ]
    graph = helper.make_graph(nodes, "cast", [x], [y, z])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.save(model, path)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float16", "bfloat16", "float64"])
def test_types(tmp_path, dtype):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    cast_model(tmp_path / "cast.onnx", helper.np_dtype_to_tensor_dtype(dtype))
    mezzo.compile(tmp_path / "cast.onnx", tmp_path / "cast.so", in_process=True)
    session = mezzo.InferenceSession(tmp_path / "cast.so")
    x = np.array([0, 1, 3, 100], np.float32).astype(dtype)
    y, z = session.run(None, {"x": x})
    assert (y.dtype, z.dtype) == (np.float32, dtype)
    np.testing.assert_array_equal(y, x.astype(np.float32))
    np.testing.assert_array_equal(z, x)


def bfloat16_capsule(values, deleted):
    """A tensor of a library with a bfloat16 of its own, as DLPack's C structs have it. `deleted` gets what it frees."""
    import ctypes

    class Managed(ctypes.Structure):
        pass

    deleter_type = ctypes.CFUNCTYPE(None, ctypes.POINTER(Managed))
    Managed._fields_ = [("tensor", abi.Tensor), ("context", ctypes.c_void_p), ("deleter", deleter_type)]
    memory = values.copy()
    shape = (ctypes.c_int64 * 1)(len(values))
    tensor = abi.Tensor(memory.ctypes.data, 1, 0, 1, abi.Dtype(4, 16, 1), shape, None, 0)
    keep = [memory, shape]
    deleter = deleter_type(lambda managed: (keep.clear(), deleted.append("tensor")))
    managed = Managed(tensor, None, deleter)
    keep += [deleter, managed]
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    name = ctypes.create_string_buffer(b"dltensor")
    keep.append(name)
    return new(ctypes.addressof(managed), name, None), keep


def test_bfloat16_comes_through_dlpack(tmp_path):
    class Tensor:
        def __dlpack_device__(self):
            return (1, 0)

        def __dlpack__(self):
            capsule, self.keep = bfloat16_capsule(np.array([1.5, -2.0, 3.0], ml_dtypes.bfloat16), deleted)
            return capsule

    deleted = []
    cast_model(tmp_path / "cast.onnx", TensorProto.BFLOAT16)
    mezzo.compile(tmp_path / "cast.onnx", tmp_path / "cast.so", in_process=True)
    y, z = mezzo.InferenceSession(tmp_path / "cast.so").run(None, {"x": Tensor()})
    assert y.tolist() == z.tolist() == [1.5, -2, 3]
    assert deleted == ["tensor"]


def test_a_tensor_on_a_device_is_refused(compiled):
    class OnDevice:
        def __dlpack_device__(self):
            return (2, 0)

        def __dlpack__(self, **_):
            raise AssertionError("nobody should ask")

    with pytest.raises(TypeError, match="input 'x' lies on a device .*: move it to the CPU first"):
        compiled("static-product").session.run(None, {"x": OnDevice()})


def wrong(compiled):
    feeds = compiled("scalar-arithmetic").feeds
    x, counts = feeds["x"], feeds["counts"]
    fixed = compiled("static-product").feeds["x"]
    yield "scalar-arithmetic", {**feeds, "z": x}, mezzo.Error, "no input 'z': its inputs are 'x', 'scale', 'counts'"
    yield "scalar-arithmetic", {"x": x}, mezzo.Error, "input 'scale' is missing: pass 'x', 'scale', 'counts'"
    yield "scalar-arithmetic", {**feeds, "x": x.astype(np.float64)}, TypeError, (
        r"input 'x' has dtype float64, the model was compiled for float32: pass it as .astype\('float32'\)"
    )
    yield "scalar-arithmetic", {
        **feeds,
        "counts": counts.astype(np.int32),
    }, TypeError, "'counts' has dtype int32.* int64"
    yield "scalar-arithmetic", {**feeds, "x": x.tolist()}, TypeError, "input 'x' has type list: pass a NumPy array"
    yield "scalar-arithmetic", {**feeds, "x": x[0]}, mezzo.Error, (
        r"input 'x' has 1 dimensions, the model has 2 \[n, 4\]: reshape the array"
    )
    yield "scalar-arithmetic", {
        **feeds,
        "scale": np.ones(1, np.float32),
    }, mezzo.Error, r"has 1 dimensions, the model has 0 \[\]"
    yield "static-product", {"x": fixed[:, :-1].copy()}, mezzo.Error, (
        r"input 'x' has shape \[4, 63\], the model was compiled for \[4, 64\]: axis 1 must be 64; pad or crop"
    )
    yield "scalar-arithmetic", {**feeds, "counts": counts[:2]}, mezzo.Error, (
        "'n' is 2 in axis 0 of input 'counts' and 3 in axis 0 of input 'x': dimensions of one name must have one size"
    )
    yield "static-product", {
        "x": np.asfortranarray(fixed)
    }, TypeError, "'x' is not C-contiguous: pass numpy.ascontiguousarray"
    swapped = fixed.astype(">f4")
    yield "static-product", {"x": swapped}, TypeError, "input 'x' has dtype >f4|byte-swapped"
    unaligned = np.frombuffer(b"x" + fixed.tobytes(), np.float32, offset=1).reshape(fixed.shape)
    yield "static-product", {"x": unaligned}, TypeError, "input 'x' is byte-swapped or unaligned: pass numpy.array"


def test_wrong_inputs(compiled):
    for name, feeds, kind, message in wrong(compiled):
        with pytest.raises(kind, match=message):
            compiled(name).session.run(None, feeds)
        compiled(name).session.run(None, compiled(name).feeds)  # and it goes on


def test_wrong_outputs(compiled):
    model = compiled("scalar-arithmetic")
    with pytest.raises(mezzo.Error, match="the model has no output 'z': its outputs are 'y', 'squares'"):
        model.session.run(["z"], model.feeds)
    with pytest.raises(TypeError, match="output_names is a string: pass a list of names"):
        model.session.run("y", model.feeds)


def test_what_the_model_itself_refuses_is_an_error(compiled):
    """An index out of range, found while the model runs."""
    with pytest.raises(mezzo.Error, match="embedded"):
        compiled("embedding").session.run(None, {"ids": np.array([[0, 500]])})


def test_one_session_in_many_threads(compiled):
    model = compiled("feed-forward-b4-g32-zp")
    (want,) = model.session.run(None, model.feeds)
    failures = []

    def run():
        try:
            for _ in range(10):
                np.testing.assert_array_equal(model.session.run(None, model.feeds)[0], want)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_weights_in_a_file(tmp_path, compiled):
    model = compiled("static-product")
    mezzo.compile(model.onnx, tmp_path / "m.so", weights="file", in_process=True)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["m.h", "m.so", "m.weights"]
    (want,) = model.session.run(None, model.feeds)
    np.testing.assert_array_equal(mezzo.InferenceSession(tmp_path / "m.so").run(None, model.feeds)[0], want)
    moved = tmp_path / "elsewhere"
    (tmp_path / "m.weights").rename(moved)
    with pytest.raises(mezzo.Error, match="m.weights"):
        mezzo.InferenceSession(tmp_path / "m.so")
    session = mezzo.InferenceSession(tmp_path / "m.so", weights=moved)
    np.testing.assert_array_equal(session.run(None, model.feeds)[0], want)


def test_a_model_that_was_compiled_again_is_the_new_one(tmp_path, compiled):
    """Although the old one is still loaded under that name. With weights in a file, which is looked for beside it."""
    path = tmp_path / "m.so"
    sessions = []
    for name in ("static-product", "other-static-product", "static-product"):
        mezzo.compile(compiled(name).onnx, path, weights="file", in_process=True)
        sessions.append((name, mezzo.InferenceSession(path)))
        for old, session in sessions:
            want = compiled(old).session.run(None, compiled(old).feeds)[0]
            np.testing.assert_array_equal(session.run(None, compiled(old).feeds)[0], want)


def test_relative_and_bytes_paths(compiled, monkeypatch):
    model = compiled("static-product")
    monkeypatch.chdir(model.so.parent)
    for path in (model.so.name, os.fsencode(model.so)):
        mezzo.InferenceSession(path).run(None, model.feeds)


def test_what_it_says_of_itself(compiled):
    session = compiled("scalar-arithmetic").session
    assert repr(session) == (
        "<mezzo.InferenceSession (x: f32['n', 4], scale: f32[], counts: i64['n', 1]) -> "
        "(y: f32['n', 4], squares: i64['n', 1])>"
    )
    meta = session.get_modelmeta()
    assert (
        meta["tool"] == f"mezzo {mezzo.__version__}" and meta["compute"] == "float" and len(meta["source_sha256"]) == 64
    )


def test_what_is_no_model(tmp_path, compiled):
    whole = compiled("static-product").so.read_bytes()
    (tmp_path / "cut.so").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.so").write_text("hello")
    for path, message in [
        (tmp_path / "nothing.so", "cannot read '.*nothing.so': No such file"),
        (tmp_path, "cannot read '.*': Is a directory"),
        (tmp_path / "cut.so", "'.*cut.so' is no compiled model: make one with mezzo.compile"),
        (tmp_path / "text.so", "'.*text.so' is no compiled model"),
        (mezzo._mezzo.library_path(), "exports no model: make one with mezzo.compile"),
    ]:
        with pytest.raises(mezzo.Error, match=message):
            mezzo.InferenceSession(path)
    with pytest.raises(mezzo.Error, match="-1 threads were asked for"):
        mezzo.InferenceSession(compiled("static-product").so, threads=-1)
    with pytest.raises(TypeError, match="threads has type str"):
        mezzo.InferenceSession(compiled("static-product").so, threads="2")
