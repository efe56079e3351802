"""Byte ranges of files on web servers: fetched side by side, tried again one by one, and never half a file.

One client a process. It keeps connections open, a bounded number of them, and the first piece of files
that were opened lately: the headers, which every window of a file needs. What a server said of a file
when it was opened, its length and its version, has to hold for every later range.
"""

from __future__ import annotations

import random
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from rsprep.errors import ReadError, RsprepError
from rsprep.reading.access import ReadPolicy, Signer, without_query
from rsprep.reading.http_range import Answer, BusyError, RefusedError, TroubleError, Wire
from rsprep.reading.outage import Outages, leaving
from rsprep.reading.reach import Reach

HEADER_BYTES = 64 * 2**10
"""Fetched when a file is opened. Directories of a COG lie at its beginning: 16 KiB hold those of a Sentinel-2 band."""
KEPT_BYTES = 64 * 2**20
"""Most memory for headers."""
CONNECTIONS = 32
"""Most connections to one server, and most requests at a time."""
GAP_BYTES = 64 * 2**10
"""Ranges this close to one another are fetched as one: it takes less time than another request."""
TOKENS = "tokens"
"""Stands for the token services among the servers that may be away."""
LONGEST_BYTES = 4 * 2**20
"""Longest range that several are joined to: beyond it, two connections are faster than one."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first bytes of a file, and what the server said of it."""

    data: bytes
    total: int
    """Length of the whole file in bytes."""
    version: str
    """ETag or time of change; empty where the server names neither."""


@dataclass(kw_only=True)
class Remote:
    """A file on a server, as one opening of it sees it."""

    href: str
    """Unsigned."""
    signer: Signer | None
    policy: ReadPolicy
    reach: Reach | None = None
    """What may be asked, redirects included; None: whatever is named."""
    signed: str = ""
    """What is asked for now; replaced when it is refused."""

    def address(self) -> str:
        if not self.signed:
            self.signed = self.href if self.signer is None else self.signer.sign(self.href)
        return self.signed

    def renewed(self, refused: str) -> bool:
        """Whether there is a fresh address in place of `refused`; of many threads, the first one asks for it."""
        if self.signed == refused and self.signer is not None:
            self.signed = self.signer.renew(refused)
        return self.signed != refused


class RangeClient:
    """Fetches ranges for all threads of a process.

    Parameters
    ----------
    connections : most connections to one server.
    kept_bytes : most memory for the headers of files that were opened lately.
    """

    def __init__(self, *, connections: int = CONNECTIONS, kept_bytes: int = KEPT_BYTES) -> None:
        self._wire = Wire(connections)
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="rsprep-ranges")
        self._kept_bytes = kept_bytes
        self._headers: OrderedDict[str, Header] = OrderedDict()
        self._coming: dict[str, Future[Header]] = {}
        self._lock = threading.Lock()
        self._outages = Outages()

    def header(self, remote: Remote) -> tuple[Header, bool]:
        """The header of a file, and whether it was kept from an earlier opening.

        Of several threads that want the same header at the same time one fetches it.

        Raises
        ------
        ReadError : as :meth:`fetch`.
        """
        with self._lock:
            kept = self._headers.get(remote.href)
            if kept is not None:
                self._headers.move_to_end(remote.href)
                return kept, True
            coming = self._coming.get(remote.href)
            if coming is None:
                mine: Future[Header] = Future()
                self._coming[remote.href] = mine
        if coming is not None:
            return coming.result(), True
        try:
            answer = self._try(remote, 0, HEADER_BYTES)
            header = Header(data=answer.data, total=answer.total, version=answer.version)
        except BaseException as error:
            with self._lock:
                del self._coming[remote.href]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._coming[remote.href]
            self._keep(remote.href, header)
        mine.set_result(header)
        return header, False

    def forget(self, href: str) -> None:
        """Drop the header of a file that turned out to be another by now."""
        with self._lock:
            self._headers.pop(href, None)

    def fetch(self, remote: Remote, header: Header, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Bytes of each range (first byte, end) of a file, in the order asked for.

        Neighbours are joined to one request; requests run side by side.

        Raises
        ------
        ReadError : ``refused``, ``absent``, ``unreachable`` (after the attempts that the policy allows), or
            ``changed`` where the file is no longer the one whose header was read.
        """
        spans = joined(ranges)
        if len(spans) == 1:  # nothing to run side by side: spare the change of threads
            bodies = [self._piece(remote, header, *spans[0])]
        else:
            bodies = list(self._pool.map(lambda span: self._piece(remote, header, *span), spans))
        found: list[bytes] = []
        for first, end in ranges:
            index = next(i for i, (start, stop) in enumerate(spans) if start <= first and end <= stop)
            start = spans[index][0]
            whole = (first, end) == spans[index]
            found.append(bodies[index] if whole else bodies[index][first - start : end - start])
        return found

    def _piece(self, remote: Remote, header: Header, first: int, end: int) -> bytes:
        answer = self._try(remote, first, end)
        if (answer.total, answer.version) != (header.total, header.version):
            self.forget(remote.href)
            raise ReadError(
                "changed",
                f"the file was replaced while it was read: {header.total} bytes {header.version}, "
                f"then {answer.total} bytes {answer.version}",
                value=without_query(remote.href),
                remedy="run the same command with --retry-failed",
            )
        if len(answer.data) != end - first:
            raise _failed(remote, f"it ends at byte {answer.total}, before byte {end} that its header points to", 1)
        return answer.data

    def _try(self, remote: Remote, first: int, end: int) -> Answer:
        """One request until it is answered; faults that pass are waited out."""
        policy, server = remote.policy, urlsplit(remote.href).netloc
        met: Counter[str] = Counter()
        missed: float | None = None
        while True:
            away, wait = "", None
            try:
                address = remote.address()
                answer = self._wire.get(address, first, end, policy, remote.reach)
            except RefusedError as refused:
                kind, why = "faults", str(refused)
                if not remote.renewed(address) or met[kind] + 1 >= policy.attempts:
                    raise _final(remote, "refused", why, "check that your account may read it") from None
                wait = 0.0
            except BusyError as later:
                kind, why, away, wait = "busy", str(later), server, later.wait_s
            except TroubleError as trouble:
                if trouble.final:
                    raise _final(remote, trouble.slug, str(trouble), "check the catalog's hrefs") from None
                kind, why, away = ("silence", str(trouble), server) if trouble.silent else ("faults", str(trouble), "")
            except ReadError as error:
                if error.slug != "token-service":
                    raise
                kind, why, away = "silence", error.cause, TOKENS
            else:
                self._outages.over(server)
                return answer
            met[kind] += 1
            if away:
                now = policy.clock()
                missed = now if missed is None else missed
                patient = self._outages.lasts(away, missed, now) < policy.outage_s
            else:
                self._outages.over(server)
                patient = False
            enough = met[kind] >= policy.attempts + (policy.patience if kind == "busy" else 0)
            if leaving() or (enough and not patient):
                raise _failed(remote, why, met[kind]) from None
            policy.sleep(_backoff(policy, met[kind]) if wait is None else wait)

    def _keep(self, href: str, header: Header) -> None:
        """Called with the lock held."""
        self._headers[href] = header
        while sum(len(one.data) for one in self._headers.values()) > self._kept_bytes:
            self._headers.popitem(last=False)


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges (first byte, end) that cover `ranges`: those that lie close together as one, up to a length.

    Examples
    --------
    >>> joined([(1000, 2000), (0, 900), (2_000_000, 2_000_100)])
    [(0, 2000), (2000000, 2000100)]
    """
    spans: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if spans:
            start, stop = spans[-1]
            if end <= stop or (first - stop <= GAP_BYTES and end - start <= LONGEST_BYTES):
                spans[-1] = (start, max(stop, end))
                continue
        spans.append((first, end))
    return spans


_shared: RangeClient | None = None
_shared_lock = threading.Lock()


def shared_client() -> RangeClient:
    """The client of this process."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = RangeClient()
        return _shared


def _backoff(policy: ReadPolicy, tried: int) -> float:
    """Seconds to wait, doubled each time; scattered, so that workers refused together do not come back together."""
    longest = min(policy.backoff_s * 2.0 ** (tried - 1), policy.longest_wait_s)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # no secret, and nothing of it reaches a pixel


def _failed(remote: Remote, why: str, tried: int) -> RsprepError:
    times = f" after {tried} attempts" if tried > 1 else ""
    return ReadError(
        "unreachable",
        f"the file could not be read{times}: {why}",
        value=without_query(remote.href),
        remedy="check the network, then run the same command with --retry-failed",
    )


def _final(remote: Remote, slug: str, why: str, remedy: str) -> RsprepError:
    return ReadError(slug, why, value=without_query(remote.href), remedy=remedy)
