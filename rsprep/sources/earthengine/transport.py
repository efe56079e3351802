"""How requests travel: one pool of connections, and a deadline for the whole answer."""

from __future__ import annotations

import time
from typing import Any

import httplib2
import requests
from requests.adapters import HTTPAdapter

CONNECT_S = 10.0
CONNECTIONS = 64
MAX_ANSWER = 192 * 2**20
"""No answer is as long; one that is would only fill the memory."""
_PIECE = 2**20


class Transport:
    """What the client of Earth Engine sends its requests through, in the manner of ``httplib2.Http``.

    The client's own transport waits for each piece of an answer as long as its deadline, so that a server which
    sends a byte now and then is waited for without end; this one counts from the first byte to the last.

    Parameters
    ----------
    deadline_s : seconds until the whole answer must be there.
    """

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS))

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        **_: Any,
    ) -> tuple[httplib2.Response, bytes]:
        """Status, headers and body of the answer; raises TimeoutError or ConnectionError."""
        ends = time.monotonic() + self.deadline_s
        try:
            with self._session.request(
                method, uri, data=body, headers=headers, timeout=(CONNECT_S, self.deadline_s), stream=True
            ) as answer:
                content = _read_all(answer, ends)
        except requests.exceptions.Timeout:
            raise TimeoutError(f"no answer within {self.deadline_s:g} s") from None
        except requests.exceptions.RequestException as error:
            raise ConnectionError(f"the connection broke ({type(error).__name__})") from None
        return httplib2.Response({**answer.headers, "status": str(answer.status_code)}), content

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()


def _read_all(answer: requests.Response, ends: float) -> bytes:
    pieces = bytearray()
    for piece in answer.iter_content(_PIECE):
        pieces += piece
        if time.monotonic() > ends:
            raise TimeoutError("the answer did not end in time")
        if len(pieces) > MAX_ANSWER:
            raise ConnectionError(f"the answer is longer than {MAX_ANSWER} bytes")
    return bytes(pieces)
