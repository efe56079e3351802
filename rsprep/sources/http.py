"""How catalogs and token services are asked: timeouts, bounded retries and answers, and nothing that waits for ever.

Each hop of a redirect is judged like the address that was asked for first, and each connection by the address that it
goes to.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.connectionpool import ConnectionPool
from urllib3.util.retry import Retry

from rsprep.errors import CatalogError
from rsprep.reading.doors import guard
from rsprep.reading.reach import Reach, host_of
from rsprep.strict_json import MOST_BYTES

TIMEOUT = (5.0, 60.0)
"""Seconds to connect, and between two bytes of an answer."""
LONGEST_ANSWER_S = 600.0
"""Seconds that a whole answer may take, however steadily its bytes come."""
PASSING_FAULTS = (408, 429, 500, 502, 503, 504)
"""Status codes after which the same request may well succeed."""
BUSY = (429, 503)
"""Those by which a server says that it is not to be had for a while."""
MAX_WAIT = 60.0
"""Longest wait in seconds that a server's Retry-After can impose, and longest pause between two attempts."""
PATIENCE = 3
"""How many times as often a server is asked again that has answered before: with pauses that double, minutes long."""
BODIES = 3
"""How often an answer is asked for whose body breaks off."""
PIECE = 2**16


class BoundedRetry(Retry):
    """Exponential backoff that honours Retry-After up to a limit: a server cannot park a build for a day."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, MAX_WAIT)

    def patient(self) -> Self:
        """The same for a server that has answered before: the address is right, so that an outage is waited out.

        Not where it says that the request itself fails (500): a search then tries smaller pages.
        """
        total = self.total if isinstance(self.total, int) else 0
        return self.new(total=PATIENCE * total, status=total, backoff_max=MAX_WAIT)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """As the base class does; but that a server is busy is no failure of the request."""
        spared = self
        if response is not None and response.status in BUSY and self.status is not None:
            spared = self.new(status=self.status + 1)
        return super(BoundedRetry, spared).increment(method, url, response, error, _pool, _stacktrace)


def make_retry(*, total: int = 6, backoff: float = 0.2) -> BoundedRetry:
    """Retry policy for requests that only read; a search by POST reads too, so every method is retried."""
    return BoundedRetry(total=total, backoff_factor=backoff, status_forcelist=PASSING_FAULTS, allowed_methods=None)


class BoundedAdapter(HTTPAdapter):
    """Sends one request, which a redirect makes anew for each hop, and reads the answer up to a limit.

    Parameters
    ----------
    reach : what may be asked; None: whatever the program itself names.
    """

    def __init__(self, retry: Retry | None = None, reach: Reach | None = None) -> None:
        self._reach = reach
        self._met = False
        super().__init__(max_retries=retry or make_retry())

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **options)
        if self._reach is not None:
            guard(self.poolmanager, private=False)
        self._private = guard(PoolManager(connections, maxsize=maxsize, block=block, **options), private=True)

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """A pool of connections that may lead to a private network only where that is meant."""
        url = request.url or ""
        private = self._reach is not None and self._reach.may_be_private(host_of(url))
        if not private or select_proxy(url, proxies):
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        host, options = self.build_connection_pool_key_attributes(request, verify, cert)
        return self._private.connection_from_host(**host, pool_kwargs=dict(options))

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Raises CatalogError as :meth:`rsprep.reading.reach.Reach.check`, and ``answer-too-large``."""
        if self._reach is not None:
            self._reach.check(request.url or "")
        for left in reversed(range(BODIES)):
            answer = super().send(request, *args, **{**options, "stream": True})
            try:
                answer._content = _bounded(answer)  # what `content` gives from now on
                break
            except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
                answer.close()
                if not left:
                    raise
            except BaseException:
                answer.close()
                raise
        if answer.ok and isinstance(self.max_retries, BoundedRetry) and not self._met:
            self._met, self.max_retries = True, self.max_retries.patient()
        answer._content_consumed = True  # type: ignore[attr-defined]
        return answer


def make_session(retry: Retry | None = None, reach: Reach | None = None) -> requests.Session:
    """A session whose requests retry by `retry` (default :func:`make_retry`); timeouts are given a request."""
    session = requests.Session()
    mount(session, retry, reach)
    return session


def mount(session: requests.Session, retry: Retry | None = None, reach: Reach | None = None) -> None:
    """Make `session` send everything through a :class:`BoundedAdapter`."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(retry, reach))


def _bounded(answer: requests.Response) -> bytes:
    """The body, decoded piece by piece: a few bytes can be packed to stand for gigabytes."""
    pieces, size, until = [], 0, time.monotonic() + LONGEST_ANSWER_S
    for piece in answer.iter_content(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES or time.monotonic() > until:
            raise CatalogError(
                "answer-too-large",
                f"the answer is longer than {MOST_BYTES:,} bytes, or takes longer than {LONGEST_ANSWER_S:g} s",
                value=answer.url,
                remedy="this is no document of a catalog; check the address",
            )
    return b"".join(pieces)
