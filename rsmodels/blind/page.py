"""The page of a blind test: one file that needs no network, with the images in an order that tells nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rsmodels.blind.draw import Shown, shrunk
from rsmodels.blind.key import encode
from rsmodels.errors import ModelError
from rsprep.report.html import escaping

TEMPLATES = Path(__file__).parent / "templates"
LOWEST, HIGHEST = 1, 100
"""Scores of the paper's test (Wang et al., IV-C)."""


def render_test(shown: Sequence[Shown], origin: Mapping[str, Any], title: str, longest: int) -> tuple[str, str]:
    """The page as text, and the name of the test, which follows from all that is in it.

    Parameters
    ----------
    shown : in the order in which they are numbered; each rater meets them in another one.
    origin : goes into the key.
    """
    pictures = [_png(one, longest) for one in shown]
    numbers = [f"{number:03d}" for number in range(1, len(shown) + 1)]
    key = {
        **origin,
        "images": {n: {"system": one.system, "name": one.name} for n, one in zip(numbers, shown, strict=True)},
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode())
    for picture in pictures:
        digest.update(picture)
    test = digest.hexdigest()[:12]
    told = {
        "test": test,
        "low": LOWEST,
        "high": HIGHEST,
        "images": [
            {"n": n, "uri": f"data:image/png;base64,{base64.b64encode(one).decode('ascii')}"}
            for n, one in zip(numbers, pictures, strict=True)
        ],
    }
    page = (
        escaping(TEMPLATES)
        .get_template("blind.html.j2")
        .render(
            title=title,
            count=len(shown),
            low=LOWEST,
            high=HIGHEST,
            test=test,
            key=encode(key, test),
            style=_own("blind.css"),
            script=_own("blind.js"),
            # Numbers and base64 only; a bracket would end the block early.
            images=Markup(json.dumps(told).replace("<", "\\u003c")),  # noqa: S704  # our own numbers
        )
    )
    return page, test


def check_place(page: Path) -> None:
    """Raise ModelError ``no-page`` where a page cannot be written, or is not called one."""
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir() or not page.absolute().parent.is_dir():
        raise ModelError(
            "no-page",
            "the page cannot be written here: it is a file that ends in .html, in a folder that there is",
            value=str(page),
            remedy="give another --out, such as blind.html",
        )


def _own(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704  # our own files


def _png(one: Shown, longest: int) -> bytes:
    """All alike, and nothing in it but pixels: another format or a remark would tell who made it."""
    memory = io.BytesIO()
    shrunk(one.image, longest).save(memory, "PNG")
    return memory.getvalue()
