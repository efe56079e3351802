"""The key of a blind test within its page: which image is which, written so that nobody reads it by accident.

This is no cryptography: whoever wants to cheat can turn it back as this module does. It keeps the key out of sight of
those who look at the page, at its source or at the names of what they save.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsmodels.errors import ModelError

_BLOCK = re.compile(r'<script type="text/plain" id="key" data-test="([0-9a-f]+)">([A-Za-z0-9+/=]*)</script>')


def encode(key: Mapping[str, Any], test: str) -> str:
    """The key as a block of letters; `test` names the page."""
    return base64.b64encode(_mixed(zlib.compress(json.dumps(key).encode()), test)).decode("ascii")


def decode(block: str, test: str) -> dict[str, Any]:
    """The way back."""
    found: dict[str, Any] = json.loads(zlib.decompress(_mixed(base64.b64decode(block), test)))
    return found


def read_key(page: str | Path) -> dict[str, Any]:
    """The key of the page of a blind test, with the name of the test as ``test``.

    Raises
    ------
    ModelError : ``not-a-blind-test``.
    """
    path = Path(page)
    try:
        block = _BLOCK.search(path.read_text(encoding="utf-8"))
        if block is not None:
            return {**decode(block[2], block[1]), "test": block[1]}
        told = ""
    except (OSError, ValueError, zlib.error) as error:
        told = f": {error}"
    raise ModelError(
        "not-a-blind-test",
        "this file is no page of a blind test, or not whole",
        value=f"{path}{told}",
        remedy="give the page that `rsmodels report --blind` wrote and that the scores are of",
    )


def _mixed(data: bytes, test: str) -> bytes:
    """Data with a stream of bytes laid over it that follows from the name; the same again takes it off."""
    stream = b"".join(hashlib.sha256(f"{test}/{n}".encode()).digest() for n in range(len(data) // 32 + 1))
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))
