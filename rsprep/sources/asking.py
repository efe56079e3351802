"""Asking many providers at once whether they answer, each for a bounded time."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from rsprep.config import EarthEngine
from rsprep.sources.base import MODULES, Answer, ask
from rsprep.sources.catalog_io import is_url
from rsprep.sources.definition import SourceDefinition

LIMIT_S = 14.0
"""Seconds for one provider; the retries of a search, which wait longer, are cut short by it."""
KNOCK_S = 5.0
"""Seconds until a connection must stand."""
AT_ONCE = 8
"""Providers asked at a time."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A provider and where to ask it."""

    definition: SourceDefinition
    endpoint: str | None = None
    """Address that replaces the definition's own."""

    @property
    def address(self) -> str | None:
        """Where it is asked; None where the user has to say."""
        return self.endpoint or self.definition.endpoint


def ask_all(
    asked: Sequence[Asked], login: EarthEngine | None = None, *, limit_s: float | None = None, at_once: int = AT_ONCE
) -> list[Answer | None]:
    """Ask each provider whether it answers; as many answers as asked, None where there is no address to ask.

    Parameters
    ----------
    login : for sources that need an account.
    limit_s : seconds after which a provider counts as silent; default :data:`LIMIT_S`. Whatever still waits for it then
        ends with the program.
    at_once : most providers asked at a time.
    """

    def one(provider: Asked) -> Answer | None:
        address = provider.address
        if address is None:
            return None
        return _within(
            LIMIT_S if limit_s is None else limit_s,
            lambda: _knock(address) or ask(provider.definition, provider.endpoint, login),
        )

    for kind in {provider.definition.kind for provider in asked} & MODULES.keys():
        importlib.import_module(MODULES[kind])  # takes seconds on a busy machine, and says nothing about a provider
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, asked))


def _within(limit_s: float, question: Callable[[], Answer]) -> Answer:
    """The answer to `question`, or that there was none in time."""
    got: list[Answer | BaseException] = []

    def put() -> None:
        try:
            got.append(question())
        except BaseException as error:  # told by whoever waits
            got.append(error)

    waiting = threading.Thread(target=put, daemon=True)  # a daemon: nobody waits for it at the end of the program
    waiting.start()
    waiting.join(limit_s)
    if not got:
        return Answer(ok=False, detail=f"catalog/silent: no answer within {limit_s:g} s")
    if isinstance(got[0], BaseException):
        raise got[0]
    return got[0]


def _knock(address: str) -> Answer | None:
    """Why no connection to `address` (or to the proxy before it) comes about; None where one does.

    A search tries a server that is not there for a dozen seconds, in case it comes back: here one try must do.
    """
    if not is_url(address):
        return None
    door = urlsplit(select_proxy(address, get_environ_proxies(address)) or address)
    if door.hostname is None:
        return None
    try:
        with socket.create_connection((door.hostname, door.port or PORTS.get(door.scheme, 80)), timeout=KNOCK_S):
            return None
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        return Answer(ok=False, detail=f"catalog/unreachable: no connection to {door.hostname} ({why})")
