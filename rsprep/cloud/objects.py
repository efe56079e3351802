"""Objects in buckets: whole reads and writes, and writes that hold only if nobody else has written since.

Credentials come from the environment, or from the machine's own role, by the rules of obstore; they are never part
of an address and travel nowhere. Requests that fail are repeated for a while; after that the error has a name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from rsprep.cloud.address import Address, Place
from rsprep.errors import BuildError, ConfigError

MAX_RETRIES = 10
RETRY_SECONDS = 180.0
"""How long a request that a server cannot answer is tried again."""
REQUEST_SECONDS = 120.0
CONNECT_SECONDS = 10.0
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

Version = Mapping[str, str]
"""What tells one writing of an object from the next: its ETag, or a generation."""


class ChangedError(Exception):
    """Somebody else has written the object since it was last seen."""


@lru_cache(maxsize=64)
def client(address: Address) -> Any:
    """The obstore store whose keys begin at `address`.

    Raises
    ------
    ConfigError : ``no-cloud-extra`` where obstore is not installed; ``bad-cloud-settings`` where the environment says
        what it does not understand.
    """
    try:
        import obstore.exceptions
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError:
        raise ConfigError(
            "no-cloud-extra",
            "object stores need a package that is not installed",
            value=str(address),
            remedy="pip install 'rsprep[cloud]'",
        ) from None
    options: dict[str, Any] = {
        "prefix": address.key or None,
        "client_options": {
            "timeout": timedelta(seconds=REQUEST_SECONDS),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            # Whoever names an endpoint without TLS means it: a server of one's own.
            "allow_http": any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
            or os.environ.get("AWS_ALLOW_HTTP", os.environ.get("AZURE_ALLOW_HTTP", "")).lower() == "true",
        },
        "retry_config": {"max_retries": MAX_RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    }
    kinds = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    try:
        return kinds[address.scheme](address.container, **options)
    except (obstore.exceptions.BaseError, ValueError, OSError) as error:
        raise ConfigError(
            "bad-cloud-settings",
            f"the object store cannot be opened: {_first_words(error)}",
            value=str(address),
            remedy="set its credentials and its region in the environment; docs/object-stores.md lists the names",
        ) from None


def _root(address: Address) -> Any:
    return client(Address(address.scheme, address.container, ""))


@contextmanager
def speaking_plainly(address: Address) -> Iterator[None]:
    """Give the errors of an object store a name; that something is not there stays FileNotFoundError.

    Raises
    ------
    BuildError : ``bucket-denied`` or ``bucket-failed``.
    """
    from obstore import exceptions as raised

    try:
        yield
    except (raised.PermissionDeniedError, raised.UnauthenticatedError, PermissionError) as error:
        raise BuildError(
            "bucket-denied",
            f"the bucket does not let us: {_first_words(error)}",
            value=str(address),
            remedy="give the credentials read and write access; the same command then goes on from here",
        ) from None
    except raised.BaseError as error:
        raise BuildError(
            "bucket-failed",
            f"the bucket cannot be reached, or fails: {_first_words(error)}",
            value=str(address),
            remedy="look at address, network and credentials; the same command then goes on from here",
        ) from None


def _first_words(error: BaseException) -> str:
    """What an error says, without the answer of the server: that may repeat what was signed."""
    return str(error).split("<", 1)[0].split("\n", 1)[0].strip().rstrip(":")


def read(address: Address) -> tuple[bytes, Version] | None:
    """The object and its version; None where there is none."""
    import obstore

    with speaking_plainly(address):
        try:
            answer = obstore.get(_root(address), address.key)
        except FileNotFoundError:
            return None
        return bytes(answer.bytes()), _version(answer.meta)


def fetch(address: Address, path: Path) -> Version:
    """Write the object to a new file.

    Raises
    ------
    FileNotFoundError : there is no such object.
    """
    import obstore

    with speaking_plainly(address):
        answer = obstore.get(_root(address), address.key)
        with path.open("wb") as file:
            for part in answer.stream():
                file.write(part)
        return _version(answer.meta)


def _head(address: Address) -> Mapping[str, Any] | None:
    import obstore

    with speaking_plainly(address):
        try:
            told: Mapping[str, Any] = obstore.head(_root(address), address.key)
        except FileNotFoundError:
            return None
        return told


def written_at(address: Address) -> datetime | None:
    """When the object was written, by the server's clock; None where there is none."""
    told = _head(address)
    return None if told is None else told["last_modified"]


def version(address: Address) -> Version | None:
    """The version of the object; None where there is none."""
    told = _head(address)
    return None if told is None else _version(told)


def as_file(place: Place) -> Path | BytesIO:
    """What libraries take for the file at `place`: its path, or the bytes of the object.

    Raises
    ------
    FileNotFoundError : there is no such object.
    """
    if isinstance(place, Path):
        return place
    data = as_bytes(place)
    if data is None:
        raise FileNotFoundError(f"there is no object {place}")
    return BytesIO(data)


def as_bytes(place: Place) -> bytes | None:
    """The file at `place`, whole; None where there is none."""
    if isinstance(place, Path):
        return place.read_bytes() if place.is_file() else None
    found = read(place)
    return None if found is None else found[0]


def exists(address: Address) -> bool:
    """True where there is such an object."""
    return _head(address) is not None


def write(address: Address, data: bytes | Path) -> None:
    """Write the object whole, from memory or from a file, whatever was there."""
    import obstore

    with speaking_plainly(address):
        obstore.put(_root(address), address.key, data)


def write_if(address: Address, data: bytes, last_seen: Version | None) -> Version:
    """Write the object whole if it is still as it was last seen; None for not there.

    A write whose answer was lost looks like somebody else's when it is repeated; what was written tells them apart.

    Raises
    ------
    ChangedError : it is not.
    """
    import obstore
    from obstore import exceptions as raised

    mode: Any = "create" if last_seen is None else dict(last_seen)
    with speaking_plainly(address):
        try:
            return _version(obstore.put(_root(address), address.key, data, mode=mode, use_multipart=False))
        except (raised.AlreadyExistsError, raised.PreconditionError, FileNotFoundError):
            pass  # looked at below, outside of this error
    there = read(address)
    if there is not None and there[0] == data:
        return there[1]
    raise ChangedError(str(address))


def delete(address: Address) -> None:
    """Take the object away; nothing happens where there is none."""
    import obstore

    with speaking_plainly(address):
        try:
            obstore.delete(_root(address), address.key)
        except FileNotFoundError:
            return


def names(address: Address) -> tuple[list[str], list[str]]:
    """Names of the objects right below `address`, and of what lies deeper, as a folder would list them."""
    import obstore

    with speaking_plainly(address):
        found = obstore.list_with_delimiter(_root(address), address.key)
    objects = [one["path"].rpartition("/")[2] for one in found["objects"]]
    return sorted(objects), sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])


def _version(told: Mapping[str, Any]) -> Version:
    return {key: told[key] for key in ("e_tag", "version") if told.get(key) is not None}
