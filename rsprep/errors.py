"""Every error rsprep raises on purpose.

An error tells three things: the cause, the value that was offered, and the remedy. It also has a
stable name such as ``aoi/self-crossing``, so that scripts and people can look it up.
``InputError`` and its leaves mean that what the user gave is wrong (exit code 2).
"""

from __future__ import annotations

import re

_SHOWN = 300
_URL = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)(?:[^\s/'\"@]*@)?([^\s'\"?]*)(\?(?!\()[^\s'\"]+)?")


class RsprepError(Exception):
    """Base of all errors rsprep raises.

    Parameters
    ----------
    name : short slug of the defect, unique within its family (``"self-crossing"``).
    cause : one sentence: what is wrong.
    value : the offending value, shown as given; shortened when long.
    remedy : one sentence: what to do about it.

    Names, passwords and queries within URLs are never shown: they may be credentials or signatures.
    """

    family = "rsprep"
    exit_code = 1

    def __init__(self, name: str, cause: str, *, value: object = None, remedy: str) -> None:
        super().__init__(name, cause, value, remedy)
        self.slug = name
        self.cause = _without_secrets(cause)
        self.value = _without_secrets(value) if isinstance(value, str) else value
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.slug, self.cause, self.value, self.remedy))

    @property
    def name(self) -> str:
        """Stable name, ``family/slug``."""
        return f"{self.family}/{self.slug}"

    def __str__(self) -> str:
        text = f"{self.name}: {self.cause}"
        if self.value is not None:
            shown = self.value if isinstance(self.value, str) else _without_secrets(repr(self.value))
            text += f"\n  got: {shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + '...'}"
        if self.remedy:
            text += f"\n  fix: {self.remedy}"
        return text


def _without_secrets(text: str) -> str:
    return _URL.sub(lambda url: url[1] + url[2] + ("?(hidden)" if url[3] else ""), text)


def _rebuild(kind: type[RsprepError], name: str, cause: str, value: object, remedy: str) -> RsprepError:
    return kind(name, cause, value=value, remedy=remedy)


class InputError(RsprepError):
    """What the user gave cannot be used."""

    family = "input"
    exit_code = 2


class AoiError(InputError):
    """The area of interest cannot be used."""

    family = "aoi"


class TimeError(InputError):
    """The time window cannot be used."""

    family = "time"


class ConfigError(InputError):
    """The configuration cannot be used."""

    family = "config"


class CatalogError(InputError):
    """A source definition, a STAC catalog or a search answer cannot be used."""

    family = "catalog"


class ItemError(InputError):
    """A STAC item contradicts its source definition or itself."""

    family = "item"


class RasterError(InputError):
    """A raster file contradicts its item or its source definition."""

    family = "raster"


class StoreError(InputError):
    """A data set on disk is absent, locked, damaged or of another kind than asked for."""

    family = "store"


class BuildError(RsprepError):
    """A build had to stop before its end. What is finished is kept: the same command goes on from there."""

    family = "build"


class ReadError(RsprepError):
    """Pixels could not be read. Never replaced by a number: the chips that need them are quarantined."""

    family = "read"
