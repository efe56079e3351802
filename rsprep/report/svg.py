"""SVG written by hand: one function that makes an element and escapes whatever it is given."""

from __future__ import annotations

from markupsafe import Markup, escape


def tag(name: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """An element; underscores in attribute names become hyphens, a trailing one is dropped (``class_``).

    Children and attribute values are escaped unless they are Markup. Numbers keep two decimals.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), number(value)) for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, Markup("").join(escape(child) for child in children))


def number(value: str | float) -> str:
    """A coordinate with at most two decimals and no trailing zeros; text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")


def text(x: float, y: float, content: str, *, anchor: str = "start", class_: str = "tick") -> Markup:
    """A line of text; `anchor` is start, middle or end."""
    return tag("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


def figure(width: float, height: float, label: str, *children: str | Markup) -> Markup:
    """The outer element: scales to the width of its column, and is read aloud as `label`."""
    return tag("svg", *children, viewBox=f"0 0 {number(width)} {number(height)}", role="img", aria_label=label)
