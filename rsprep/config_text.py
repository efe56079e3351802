"""The configuration explained by itself: every key with its default, what it takes and what it does."""

from __future__ import annotations

import textwrap
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from rsprep.settings import Section

WIDTH = 100


def describe_config(model: type[Section]) -> str:
    """A commented YAML recipe with every key at its default; it can be given to ``--config`` as it stands.

    Keys without a default hold an example.
    """
    return "\n".join(_lines(model, "", None)) + "\n"


def _lines(model: type[Section], indent: str, whole: Section | None) -> Iterator[str]:
    """Lines of a section; `whole` is its default where that differs from the defaults of its keys."""
    for name, field in model.model_fields.items():
        kind, default = field.annotation, _default(field, name, whole)
        section = kind if isinstance(kind, type) and issubclass(kind, Section) else None
        told = field.description if section is None else section.__doc__
        if isinstance(default, Section):  # also where it may be null
            section = type(default)
        if section is not None:
            yield ""
            yield from _comment(" ".join((told or "").split()), indent)
            yield f"{indent}{name}:"
            yield from _lines(section, indent + "  ", default)
        else:
            yield from _comment("; ".join(part for part in (field.description, _taken(field)) if part), indent)
            yield f"{indent}{name}: {_value(default)}"


def _comment(text: str, indent: str) -> Iterator[str]:
    return (f"{indent}# {line}" for line in textwrap.wrap(text, WIDTH - len(indent) - 2))


def _default(field: FieldInfo, name: str, whole: Section | None) -> Any:
    """Default of a key, or an example where it has none."""
    if whole is not None:
        return getattr(whole, name)
    return (field.examples or [None])[0] if field.is_required() else field.get_default(call_default_factory=True)


def _value(value: Any) -> str:
    """A default as YAML on one line."""
    plain = _plain(value)
    text = yaml.safe_dump(plain, default_flow_style=True, width=10 * WIDTH, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(value: Any) -> Any:
    """Tuples as lists, which YAML has."""
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _taken(field: FieldInfo) -> str:
    """What a key takes: its words, or the bounds of its number; empty where the description says it all."""
    required = ["required"] if field.is_required() else []
    words = [str(word) for word in _words(field.annotation)]
    named = [word for word in words if word not in (field.description or "")]
    bounds = [
        f"{sign} {getattr(rule, bound):g}"
        for rule in field.metadata
        for bound, sign in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
        if getattr(rule, bound, None) is not None
    ]
    return ", ".join([*required, *([" | ".join(words)] if named else []), *bounds])


def _words(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (tuple, Union, types.UnionType):
        return tuple(word for part in get_args(kind) for word in _words(part))
    return ()
