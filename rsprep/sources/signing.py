"""Signed hrefs: made inside the task that reads, renewed when refused, never stored and never shown.

Tokens (of the Planetary Computer, and of services with its interface) live under an hour and a build lives longer, so
an href that was signed when its item was found would be refused half-way.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import requests

from rsprep.errors import ReadError
from rsprep.reading.access import NoSigning, Signer
from rsprep.reading.reach import reach
from rsprep.sources.definition import TokenService
from rsprep.sources.http import TIMEOUT, make_session
from rsprep.strict_json import load_json

MARGIN = dt.timedelta(minutes=5)
"""A token this close to its end is not used any more: a long read must not outlive it."""

_SIGNED = re.compile(r"\?[^\s'\"<>]*\bsig=[^\s'\"<>]*")
_SIGNATURE = re.compile(r"\bsig=[^&\s'\"<>]+")


def redact(text: str) -> str:
    """`text` without signatures: for messages and logs about signed hrefs."""
    return _SIGNATURE.sub("sig=(hidden)", _SIGNED.sub("?(signed)", text))


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


class TokenSigner:
    """Signs hrefs on the hosts of a :class:`TokenService`, by a token a storage account and container.

    Parameters
    ----------
    tokens : address of the service, to which ``/account/container`` is appended, and the hosts that it is for.
    cache : where tokens are kept; default the one of this process. Pickling leaves it behind.
    clock : tells the time, aware.

    Raises (from ``sign`` and ``renew``)
    ------------------------------------
    ReadError : ``token-service`` where it cannot be asked, ``bad-token`` where its answer is not one.
    """

    def __init__(
        self,
        tokens: TokenService,
        *,
        cache: TokenCache | None = None,
        clock: Callable[[], dt.datetime] = _now,
    ) -> None:
        self.tokens = tokens
        self._address = tokens.service.rstrip("/")
        self._cache = _PROCESS if cache is None else cache
        self._clock = clock

    def __repr__(self) -> str:
        return f"TokenSigner({self.tokens!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return TokenSigner, (self.tokens,)

    def sign(self, href: str) -> str:
        place = _place(href, self.tokens)
        if place is None:
            return href
        with self._cache.lock:
            return f"{_bare(href)}?{self._token(place).query}"

    def renew(self, refused: str) -> str:
        place = _place(refused, self.tokens)
        if place is None:
            return refused
        with self._cache.lock:
            known = self._cache.tokens.get((self._address, *place))
            # Of many threads refused with one token only the first drops it; the others find its successor.
            if known is not None and known.query == urlsplit(refused).query:
                del self._cache.tokens[self._address, *place]
            return f"{_bare(refused)}?{self._token(place).query}"

    def _token(self, place: tuple[str, str]) -> Token:
        key = (self._address, *place)
        token = self._cache.tokens.get(key)
        if token is None or token.expires - self._clock() <= MARGIN:
            token = self._cache.tokens[key] = _ask_token(f"{self._address}/{place[0]}/{place[1]}")
        return token


def strip_signature(href: str, tokens: TokenService | None) -> str:
    """`href` without its query where it lies on a host that is signed for, unchanged elsewhere."""
    return href if tokens is None or _place(href, tokens) is None else _bare(href)


def make_signer(tokens: TokenService | None) -> Signer:
    """The signer for a definition's ``signing``."""
    return NoSigning() if tokens is None else TokenSigner(tokens)


def _place(href: str, tokens: TokenService) -> tuple[str, str] | None:
    """Storage account and container of an href on one of the hosts; None elsewhere.

    The account is what the ``*`` of a host stands for, or the host itself; the container comes first in the path.
    """
    parts = urlsplit(href)
    host, container = parts.hostname or "", parts.path.lstrip("/").split("/", 1)[0]
    if not container:
        return None
    for pattern in tokens.hosts:
        suffix = pattern.removeprefix("*")
        if host == pattern:
            return host, container
        if suffix != pattern and host.endswith(suffix) and len(host) > len(suffix):
            return host.removesuffix(suffix), container
    return None


def _bare(href: str) -> str:
    return urlunsplit(urlsplit(href)._replace(query="", fragment=""))


def _ask_token(address: str) -> Token:
    try:
        with make_session(reach=reach([address])) as session:
            answer = session.get(address, timeout=TIMEOUT)
            answer.raise_for_status()
            body = load_json(answer.content)
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
