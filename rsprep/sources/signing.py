"""Signed hrefs: made inside the task that reads, renewed when refused, never stored and never shown.

Tokens of the Planetary Computer live under an hour and a build lives longer, so an href that was signed when
its item was found would be refused half-way.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import requests

from rsprep.errors import ReadError
from rsprep.sources.http import TIMEOUT, make_session

TOKEN_SERVICE = "https://planetarycomputer.microsoft.com/api/sas/v1/token"  # noqa: S105 - an address, not a secret
BLOB_HOST = ".blob.core.windows.net"
MARGIN = dt.timedelta(minutes=5)
"""A token this close to its end is not used any more: a long read must not outlive it."""

_SIGNED = re.compile(r"\?[^\s'\"<>]*\bsig=[^\s'\"<>]*")
_SIGNATURE = re.compile(r"\bsig=[^&\s'\"<>]+")


class Signer(Protocol):
    """Turns hrefs as they are stored into hrefs that can be read. Pickles without any secret."""

    def sign(self, href: str) -> str:
        """`href` with what the provider wants to see; unchanged where it wants nothing."""
        ...

    def renew(self, refused: str) -> str:
        """A fresh href in place of the signed one that the server just refused (403)."""
        ...


def redact(text: str) -> str:
    """`text` without signatures: for messages and logs about signed hrefs."""
    return _SIGNATURE.sub("sig=(hidden)", _SIGNED.sub("?(signed)", text))


class NoSigning:
    """For providers whose files anybody may read."""

    def sign(self, href: str) -> str:
        return href

    def renew(self, refused: str) -> str:
        return refused


@dataclass(frozen=True, kw_only=True)
class Token:
    """A shared access signature; its text is left out of ``repr``."""

    query: str = field(repr=False)
    expires: dt.datetime


class TokenCache:
    """Tokens of one process, shared by every signer in it; guarded, so that threads ask once and not each."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tokens: dict[tuple[str, str, str], Token] = {}


_PROCESS = TokenCache()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class PlanetaryComputerSigner:
    """Signs hrefs on Azure blob storage by a token a storage account and container.

    Parameters
    ----------
    service : address of the token service; ``/account/container`` is appended.
    cache : where tokens are kept; default the one of this process. Pickling leaves it behind.
    clock : tells the time, aware.

    Raises (from ``sign`` and ``renew``)
    ------------------------------------
    ReadError : ``token-service`` where it cannot be asked, ``bad-token`` where its answer is not one.
    """

    def __init__(
        self,
        service: str = TOKEN_SERVICE,
        *,
        cache: TokenCache | None = None,
        clock: Callable[[], dt.datetime] = _now,
    ) -> None:
        self.service = service.rstrip("/")
        self._cache = _PROCESS if cache is None else cache
        self._clock = clock

    def __repr__(self) -> str:
        return f"PlanetaryComputerSigner({self.service!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return PlanetaryComputerSigner, (self.service,)

    def sign(self, href: str) -> str:
        place = _blob_place(href)
        if place is None:
            return href
        with self._cache.lock:
            return f"{strip_signature(href)}?{self._token(place).query}"

    def renew(self, refused: str) -> str:
        place = _blob_place(refused)
        if place is None:
            return refused
        with self._cache.lock:
            known = self._cache.tokens.get((self.service, *place))
            # Of many threads refused with one token only the first drops it; the others find its successor.
            if known is not None and known.query == urlsplit(refused).query:
                del self._cache.tokens[self.service, *place]
            return f"{strip_signature(refused)}?{self._token(place).query}"

    def _token(self, place: tuple[str, str]) -> Token:
        key = (self.service, *place)
        token = self._cache.tokens.get(key)
        if token is None or token.expires - self._clock() <= MARGIN:
            token = self._cache.tokens[key] = _ask_token(f"{self.service}/{place[0]}/{place[1]}")
        return token


def strip_signature(href: str) -> str:
    """`href` without its query where it lies on Azure blob storage, unchanged elsewhere."""
    if _blob_place(href) is None:
        return href
    return urlunsplit(urlsplit(href)._replace(query="", fragment=""))


def make_signer(signing: str) -> Signer:
    """The signer that a definition's ``signing`` names."""
    return PlanetaryComputerSigner() if signing == "planetary-computer" else NoSigning()


def _blob_place(href: str) -> tuple[str, str] | None:
    """Storage account and container of an href on Azure blob storage; None elsewhere."""
    parts = urlsplit(href)
    host = parts.hostname or ""
    container = parts.path.lstrip("/").split("/", 1)[0]
    if not host.endswith(BLOB_HOST) or not container:
        return None
    return host.removesuffix(BLOB_HOST), container


def _ask_token(address: str) -> Token:
    try:
        with make_session() as session:
            answer = session.get(address, timeout=TIMEOUT)
            answer.raise_for_status()
            body = answer.json()
    except requests.RequestException as error:
        raise ReadError(
            "token-service",
            f"no token to read with: {redact(str(error))}",
            value=address,
            remedy="check the network; the same command resumes the build",
        ) from None
    try:
        query, expires = body["token"], dt.datetime.fromisoformat(body["msft:expiry"].replace("Z", "+00:00"))
        if not isinstance(query, str) or not query or expires.tzinfo is None:
            raise ValueError  # noqa: TRY301 - one message for every shape of a wrong answer
    except (KeyError, TypeError, ValueError, AttributeError):
        # The answer is not shown: it may hold a token under another name.
        raise ReadError(
            "bad-token",
            "the token service answered with something that is no token",
            value=address,
            remedy="its interface may have changed; see rsprep.sources.signing",
        ) from None
    return Token(query=query.lstrip("?"), expires=expires)
