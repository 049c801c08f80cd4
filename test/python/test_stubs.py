"""The stubs of the module say what the module has, and all that is public is documented and typed."""

import ast
import inspect
import re
from pathlib import Path

import mezzo
from mezzo import _mezzo

PACKAGE = Path(mezzo.__file__).parent


def parameters(function):
    """How many parameters a function of a stub takes, `self` included."""
    return len(function.args.posonlyargs) + len(function.args.args)


def documented(function):
    """How many pybind11 says that a function of the module takes: its docstring begins with the signature."""
    signature = re.match(r"\w+\((.*)\) -> ", function.__doc__).group(1)
    return len(re.findall(r"(?:^|, )(?:self|arg\d+): ", signature))


def compare(owner, body, where):
    """The names and parameters of a module or a class against those of its stub."""
    stubs = {node.name: node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    stubs |= {node.target.id: node for node in body if isinstance(node, ast.AnnAssign)}
    # The buffer protocol has this name from Python 3.12 on.
    names = {name for name in stubs if name != "__buffer__"}
    present = {name for name in vars(owner) if not name.startswith("_")} | ({"__init__"} & names)
    assert present == names, where
    for name in names:
        stub, real = stubs[name], getattr(owner, name)
        if isinstance(stub, ast.ClassDef):
            assert inspect.isclass(real), name
            if not issubclass(real, Exception):
                compare(real, stub.body, f"{where}.{name}")
        elif isinstance(stub, ast.FunctionDef):
            decorators = {decorator.id for decorator in stub.decorator_list}
            assert isinstance(real, property) == ("property" in decorators), f"{where}.{name}"
            if not isinstance(real, property):
                assert documented(real) == parameters(stub), f"{where}.{name}"


def test_the_stubs_of_the_module_are_true():
    tree = ast.parse((PACKAGE / "_mezzo.pyi").read_text(encoding="utf-8"))
    compare(_mezzo, tree.body, "_mezzo")


def public():
    """(name, object) of all that users see."""
    for name in mezzo.__all__:
        value = getattr(mezzo, name)
        yield name, value
        if inspect.isclass(value) and value.__module__.startswith("mezzo."):
            for member, object in vars(value).items():
                if not member.startswith("_"):
                    yield f"{name}.{member}", object
        if inspect.ismodule(value):
            for member, object in vars(value).items():
                if not member.startswith("_") and getattr(object, "__module__", None) == value.__name__:
                    yield f"{name}.{member}", object


def functions():
    for name, value in public():
        value = getattr(value, "__func__", value)  # of a class method
        value = getattr(value, "fget", getattr(value, "func", value))  # of a property
        if inspect.isfunction(value):
            yield name, value


def test_all_that_is_public_is_documented():
    for name, value in public():
        if name in ("Error", "InternalError"):  # the module's, documented in its stubs
            continue
        if inspect.isclass(value) or inspect.ismodule(value) or inspect.isroutine(value) or isinstance(value, property):
            assert inspect.getdoc(value), name
    assert set(dir(mezzo)) >= set(mezzo.__all__)
    names = [name for name, _ in functions()]
    assert {"compile", "InferenceSession.run", "QuantizedTensor.codes", "Layout.pack", "passes.run", "gguf.decode"} <= set(names)


def test_all_that_is_public_is_typed():
    assert (PACKAGE / "py.typed").exists()
    for name, function in functions():
        for parameter in inspect.signature(function).parameters.values():
            assert (
                parameter.name in ("self", "cls") or parameter.annotation is not parameter.empty
            ), f"{name}({parameter})"
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty, name
