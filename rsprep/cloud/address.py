"""Where a data set lies: a folder, or an address in a bucket. Text becomes one of the two here, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rsprep.errors import ConfigError

SCHEMES = {"s3": "Amazon S3 and what speaks like it", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}
"""Kinds of object stores, by the first word of an address."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_ALMOST = re.compile(rf"({'|'.join(SCHEMES)}):(?!//)", re.IGNORECASE)
_CONTAINER = re.compile(r"[a-z0-9][a-z0-9._-]{1,221}")
_ODD = re.compile(r"[\x00-\x1f\x7f\\?#%*]")


@dataclass(frozen=True)
class Address:
    """An object in a bucket, or all objects whose names begin so; never with credentials.

    Examples
    --------
    >>> str(place("s3://bucket/chips") / "report.html")
    's3://bucket/chips/report.html'
    """

    scheme: str
    """``s3``, ``gs`` or ``az``."""
    container: str
    """Name of the bucket; Azure calls it a container."""
    key: str
    """Name within the bucket, without a slash at either end."""

    def __truediv__(self, name: str) -> Address:
        return Address(self.scheme, self.container, f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.container}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def parent(self) -> Address:
        """The address one part higher."""
        return Address(self.scheme, self.container, self.key.rpartition("/")[0])


Place = Path | Address


def place(given: str | Place) -> Place:
    """What `given` means: an address where it begins like ``s3://``, else a path.

    Raises
    ------
    ConfigError : ``bad-address``.
    """
    if isinstance(given, Path | Address):
        return given
    found = _SCHEME.match(given)
    if found is None:
        return _local(given)
    scheme, rest = found[1], found[2]
    if scheme not in SCHEMES:
        raise _bad(given, f"there are no data sets at {scheme}://")
    container, _, key = rest.rstrip("/").partition("/")
    if "@" in container or "?" in rest:
        raise _bad(given, "an address carries no credentials and no query")
    if not _CONTAINER.fullmatch(container):
        raise _bad(given, "this is no name of a bucket")
    if not key:
        raise _bad(given, "a data set needs a name within the bucket")
    if _ODD.search(key) or any(part in ("", ".", "..") for part in key.split("/")):
        raise _bad(given, "a name in a bucket has no empty parts, no dots alone, and none of \\ ? # % *")
    return Address(scheme, container, key)


def _local(given: str) -> Path:
    """A path, with ``~`` for the home of a user as a shell has it."""
    if _ALMOST.match(given):
        raise _bad(given, "an address in a bucket begins with two slashes, as s3://")
    try:
        path = Path(given).expanduser()
    except RuntimeError:
        raise _bad(given, "there is no home folder of such a user") from None
    if "\0" in given:
        raise _bad(given, "no file has such a name")
    return path


def absolute(given: str | Place) -> Place:
    """The same place, whatever the current folder is."""
    here = place(given)
    return here if isinstance(here, Address) else here.absolute()


def resolved(given: str | Place) -> Place:
    """The same, with no links in it."""
    here = place(given)
    return here if isinstance(here, Address) else here.resolve()


def folder_only(given: str | Place, option: str) -> Path:
    """The path that is `given`, where nothing but a folder will do.

    Raises
    ------
    ConfigError : ``not-local`` for an address in a bucket.
    """
    here = place(given)
    if isinstance(here, Address):
        raise ConfigError(
            "not-local", f"{option} takes a folder, not a bucket", value=str(here), remedy=f"give a folder as {option}"
        )
    return here


def _bad(given: str, cause: str) -> ConfigError:
    return ConfigError(
        "bad-address",
        cause,
        value=given,
        remedy="write a folder, s3://BUCKET/NAME, gs://BUCKET/NAME or az://CONTAINER/NAME; "
        "credentials come from the environment",
    )
