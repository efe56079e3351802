"""How a bug is planted: a few words of our code are changed, in memory, as a careless edit would change them."""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numba
import pytest
from numba.core.dispatcher import Dispatcher

WRONG = ("AssertionError", "Failed")
"""What a test ends with that found something: an assertion, or an error that it expected and that did not come."""
PACKAGES = ("rsprep", "rsmodels", "tests")


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One bug, and the tests that have to find it."""

    row: int
    """Number in the list of pitfalls."""
    treatment: str
    """What is taken out, in one line."""
    mutant: Callable[[pytest.MonkeyPatch], None]
    """Takes it out."""
    tests: tuple[str, ...]
    """Node ids; each must pass without the bug and fail with it. One with parameters may be named without."""
    fails: tuple[str, ...] = WRONG
    """Types of error that a test may end with; any other is a defect of the mutant, and nothing is proved."""
    part: str = ""
    """A letter, where a row has several treatments."""

    @property
    def key(self) -> str:
        """``2b``: how the bug is asked for."""
        return f"{self.row}{self.part}"


def edit(place: str, *changes: tuple[str, str], also: Sequence[str] = ()) -> Callable[[pytest.MonkeyPatch], None]:
    """A mutant that changes the words of one function.

    Parameters
    ----------
    place : ``package.module:function`` or ``package.module:Class.method``.
    changes : what is there once, and what stands there instead.
    also : compiled functions that call this one, and have it built in.
    """

    def mutant(patch: pytest.MonkeyPatch) -> None:
        _edit(patch, place, changes)
        for other in also:
            _edit(patch, other, ())

    return mutant


def value(place: str, new: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """A mutant that gives something of a module another value, wherever it was imported to."""

    def mutant(patch: pytest.MonkeyPatch) -> None:
        module, name = place.split(":")
        _everywhere(patch, name, getattr(importlib.import_module(module), name), new)

    return mutant


def both(*mutants: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
    """Several changes that are one bug."""

    def mutant(patch: pytest.MonkeyPatch) -> None:
        for one in mutants:
            one(patch)

    return mutant


def _edit(patch: pytest.MonkeyPatch, place: str, changes: Sequence[tuple[str, str]]) -> None:
    found = _found(place)
    function = found.py_func if isinstance(found, Dispatcher) else inspect.unwrap(found)
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        if source.count(old) != 1:
            raise LookupError(f"{place} has {old!r} {source.count(old)} times, and should have it once")
        source = source.replace(old, new)
    planted = _made(source, function)
    if not isinstance(found, Dispatcher):
        patch.setattr(function, "__code__", planted.__code__)  # whoever holds the function has the bug
        return
    options = {key: found.targetoptions[key] for key in ("nogil", "error_model") if key in found.targetoptions}
    compiled = numba.njit(**options)(planted)
    _everywhere(patch, found.__name__, found, compiled)


def _everywhere(patch: pytest.MonkeyPatch, name: str, old: Any, new: Any) -> None:
    """Put `new` in the place of `old` in every module of ours that has it under this name."""
    for place, module in list(sys.modules.items()):
        if place.split(".")[0] in PACKAGES and vars(module).get(name) is old:
            patch.setattr(module, name, new)


def _found(place: str) -> Any:
    module, path = place.split(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, classmethod | staticmethod):
        return found.__func__
    return found.fget if isinstance(found, property) else found


def _made(source: str, function: FunctionType) -> FunctionType:
    """The function of this text, with the module of the old one around it."""
    tree = ast.parse(source)
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    definition.decorator_list = []
    code = compile(tree, f"<planted {function.__qualname__}>", "exec", __future__.annotations.compiler_flag, True)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)  # noqa: S102 - our own code, a few words of it changed
    planted: FunctionType = made[function.__name__]
    return planted
