"""What the tests of the Python door share: models of test/models, a cache folder of their own, and silence."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

from builders.catalogue import CATALOGUE  # noqa: E402
from builders.graph import save  # noqa: E402

import mezzo  # noqa: E402


@pytest.fixture(autouse=True)
def silence(capfd):
    """Whatever is done, nothing is printed, by Python or by the libraries below it."""
    yield
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """Where mezzo.linear keeps what it compiles during these tests: <this>/mezzo."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@pytest.fixture
def random():
    return np.random.default_rng(20)


class Compiled:
    """A model of the catalogue: its files, the inputs to feed it, an open session."""

    def __init__(self, name, folder):
        graph = CATALOGUE[name]()
        self.onnx, self.so, self.feeds = folder / f"{name}.onnx", folder / f"{name}.so", graph.feeds
        save(graph.model(), str(self.onnx))
        mezzo.compile(self.onnx, self.so, in_process=True)
        self.session = mezzo.InferenceSession(self.so, threads=2)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compiled(name) compiles a model of the catalogue, once for all tests."""
    folder, made = tmp_path_factory.mktemp("models"), {}

    def get(name):
        if name not in made:
            made[name] = Compiled(name, folder)
        return made[name]

    return get


class Foreign:
    """A tensor of another library: it has nothing but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.fixture
def foreign():
    return Foreign
