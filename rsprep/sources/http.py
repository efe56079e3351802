"""How catalogs and token services are asked: timeouts, bounded retries, nothing that waits for ever."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.util.retry import Retry

TIMEOUT = (5.0, 60.0)
"""Seconds to connect, and between two bytes of an answer."""
PASSING_FAULTS = (408, 429, 500, 502, 503, 504)
"""Status codes after which the same request may well succeed."""
MAX_WAIT = 60.0
"""Longest wait in seconds that a server's Retry-After can impose."""


class BoundedRetry(Retry):
    """Exponential backoff that honours Retry-After up to a limit: a server cannot park a build for a day."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, MAX_WAIT)


def make_retry(*, total: int = 6, backoff: float = 0.2) -> BoundedRetry:
    """Retry policy for requests that only read; a search by POST reads too, so every method is retried."""
    return BoundedRetry(total=total, backoff_factor=backoff, status_forcelist=PASSING_FAULTS, allowed_methods=None)


def make_session(retry: Retry | None = None) -> requests.Session:
    """A session whose requests retry by `retry` (default :func:`make_retry`); timeouts are given a request."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry or make_retry()))
    return session
