"""One request of one byte range: what went over the wire, checked, or what was wrong with it."""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import re
import time
import urllib.request
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from rsprep.reading.access import ReadPolicy, without_secrets
from rsprep.reading.doors import guard
from rsprep.reading.reach import Reach, host_of

LONGEST_WAIT_S = 60.0
"""Longest wait that a server's Retry-After can impose."""
SERVERS = 16
"""Servers whose connections are kept at a time."""
PIECE = 2**20
GATEWAYS = (502, 504)
"""What stands before a server says with these that it gave no answer."""
REDIRECTS = 5
"""Most hops of one request."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Bytes, and what the server said of the file they belong to."""

    data: bytes
    total: int
    version: str


class TroubleError(Exception):
    """The request failed; unless `final`, the same one may well succeed."""

    def __init__(self, message: str, *, slug: str = "unreachable", final: bool = False, silent: bool = False) -> None:
        super().__init__(message)
        self.slug = slug
        self.final = final
        self.silent = silent
        """No server answered at all, or one that stands before it."""


class RefusedError(Exception):
    """The server does not let this address be read (403): its signature may have expired."""


class BusyError(Exception):
    """The server is busy (429, 503)."""

    def __init__(self, message: str, wait_s: float | None) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        """Seconds that the server asks to wait, within bounds; None where it names no time."""


class Wire:
    """Connections that stay open, at most so many to one server; threads wait for a free one."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._direct = self._manager(None)
        self._public = guard(self._manager(None), private=False)
        self._private = guard(self._manager(None), private=True)
        self._by_proxy = {
            scheme: self._manager(address)
            for scheme, address in urllib.request.getproxies().items()
            if "://" in address
        }

    def get(self, address: str, first: int, end: int, policy: ReadPolicy, reach: Reach | None = None) -> Answer:
        """Bytes `first` to `end` (not included) of a file; fewer where it ends before that.

        Raises
        ------
        TroubleError, RefusedError, BusyError
        CatalogError : the address, or one that it is redirected to, is beyond `reach`.
        """
        timeout = urllib3.Timeout(connect=policy.connect_timeout_s, read=policy.timeout_s)
        headers = {"Range": f"bytes={first}-{end - 1}", "Accept-Encoding": "identity"}
        try:
            answer = self._follow(address, headers, timeout, reach)
        except HTTPError as error:
            raise TroubleError(_reason(error), silent=not isinstance(error, SSLError)) from None
        whole = False
        try:
            _check_status(answer)
            total, length = _extent(answer, first, end)
            data = _body(answer, length, policy)
            whole = True
        except HTTPError as error:
            raise TroubleError(_reason(error)) from None
        finally:
            if not whole:  # what is left of the answer must not be taken for the next one
                answer.close()
            answer.release_conn()  # also after closing: its place among the connections is free again
        return Answer(
            data=data, total=total, version=answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
        )

    def _follow(
        self, address: str, headers: dict[str, str], timeout: urllib3.Timeout, reach: Reach | None
    ) -> urllib3.BaseHTTPResponse:
        """The answer at the end of redirects, each of which is judged; whatever signs `address` is not sent along."""
        for _ in range(REDIRECTS + 1):
            if reach is not None:
                reach.check(address)
            answer = self._manager_for(address, reach).request(
                "GET", address, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
            )
            place = answer.get_redirect_location()
            if not place:
                return answer
            answer.close()  # its body, however long, is nothing to wait for
            answer.release_conn()
            address = urljoin(address, place)
        raise TroubleError(f"more than {REDIRECTS} redirects", final=True)

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(num_pools=SERVERS, maxsize=self._connections, block=True)
        return urllib3.ProxyManager(proxy, num_pools=SERVERS, maxsize=self._connections, block=True)

    def _manager_for(self, address: str, reach: Reach | None) -> urllib3.PoolManager:
        """As the environment says (``https_proxy``, ``no_proxy``); a proxy resolves names, and looks for itself."""
        parts = urlsplit(address)
        if parts.scheme not in self._by_proxy or urllib.request.proxy_bypass(parts.hostname or ""):
            if reach is None:
                return self._direct
            return self._private if reach.may_be_private(host_of(address)) else self._public
        return self._by_proxy[parts.scheme]


class _NoQueries(logging.Filter):
    """urllib3 notes every address for those who log that much; what follows a question mark may be a signature."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(without_secrets(one) if isinstance(one, str) else one for one in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_NoQueries())


def _check_status(answer: urllib3.BaseHTTPResponse) -> None:
    status = answer.status
    if status in (200, 206):
        return
    if status == 403:
        raise RefusedError("the server refuses to have it read (403)")
    if status in (429, 503):
        raise BusyError(f"the server is busy ({status})", _retry_after(answer.headers.get("Retry-After")))
    if status in (404, 410):
        raise TroubleError(f"there is no such file ({status})", slug="absent", final=True)
    if status == 408 or status >= 500:
        raise TroubleError(f"the server answered {status}", silent=status in GATEWAYS)
    raise TroubleError(f"the server answered {status}", slug="refused", final=True)


def _extent(answer: urllib3.BaseHTTPResponse, first: int, end: int) -> tuple[int, int]:
    """Length of the file, and of the answer's body; both by the answer's own words, which must fit the request."""
    if answer.status == 200:
        length = answer.headers.get("Content-Length", "")
        # Some servers answer a range of everything with the whole; any other range is then far too much.
        if first == 0 and length.isdigit() and int(length) <= end:
            return int(length), int(length)
        raise TroubleError("the server sends whole files and no ranges", slug="no-ranges")
    said = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if said is None:
        raise TroubleError("the server does not say which range it sends")
    start, last, total = (int(number) for number in said.groups())
    if start != first or last != min(end, total) - 1:
        raise TroubleError(f"bytes {first}-{end - 1} were asked for, bytes {start}-{last} of {total} came")
    return total, last + 1 - start


def _body(answer: urllib3.BaseHTTPResponse, length: int, policy: ReadPolicy) -> bytes:
    """The body, complete; a server that goes on sending a byte now and then is given up, too."""
    give_up = time.monotonic() + 10 * policy.timeout_s
    pieces: list[bytes] = []
    missing = length
    while missing > 0:
        piece = answer.read(min(PIECE, missing), decode_content=False)  # nothing to decode: spares a buffer
        if not piece:
            raise TroubleError(f"the answer broke off {missing} bytes before its end")
        pieces.append(piece)
        missing -= len(piece)
        if time.monotonic() > give_up:
            raise TroubleError(f"the answer was not complete after {10 * policy.timeout_s:g} s")
    answer.read(1, decode_content=False)  # meets the end of the body, so that the connection can serve the next request
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _retry_after(said: str | None) -> float | None:
    """Seconds that a Retry-After asks for, as a number or as a date."""
    if said is None:
        return None
    if said.strip().isdigit():
        return min(float(said), LONGEST_WAIT_S)
    try:
        moment = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    return min(max(0.0, (aware - dt.datetime.now(dt.UTC)).total_seconds()), LONGEST_WAIT_S)


def _reason(error: HTTPError) -> str:
    """What went wrong below HTTP, without the address: it may hold a signature."""
    return f"{type(error).__name__}: {without_secrets(str(error))}"
