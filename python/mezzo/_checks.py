"""Checks of arguments that are no arrays: what has another type is a TypeError that calls the argument by its name."""

import operator
from typing import Any


def text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} has type {type(value).__name__}: pass a string")
    return value


def text_or_none(value: Any, what: str) -> str | None:
    return None if value is None else text(value, what)


def integer(value: Any, what: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} has type {type(value).__name__}: pass an integer") from None
