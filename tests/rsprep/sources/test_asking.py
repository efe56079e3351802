"""Providers that answer, refuse, hang and break, asked at once; each has its time, and no more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from rsprep.sources import asking
from rsprep.sources.asking import Asked, ask_all
from rsprep.sources.base import Answer
from tests.rsprep.sources.making import S2, make_definition, serve_api, serving

GONE = "unreachable"


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a server that takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """Address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def at(endpoint: str | None, name: str = "made") -> Asked:
    return Asked(definition=make_definition(name=name), endpoint=endpoint)


def test_each_gets_its_own_answer_in_order(silent: str, closed: str) -> None:
    with serving() as server:
        serve_api(server, [], collections=(S2, "s1", "dem"))
        began = time.monotonic()
        # The silent one comes first: it must hold up nobody, neither now nor when its question waits on unheard.
        answers = ask_all([at(silent), at(closed), at(server.url), at(None)], limit_s=3.0)
        assert time.monotonic() - began < 6.0  # the limit of one, not the sum
        assert ask_all([at(server.url)], limit_s=3.0) == [answers[2]]
    late, refused, answered, unasked = answers
    assert refused is not None
    assert not refused.ok
    assert "catalog/unreachable: no connection to 127.0.0.1 (" in refused.detail
    assert answered == Answer(ok=True, detail="STAC API with 3 collections")
    assert late == Answer(ok=False, detail="catalog/silent: no answer within 3 s")
    assert unasked is None


def test_a_server_without_the_collections_does_not_count_as_there() -> None:
    with serving() as server:
        serve_api(server, [], collections=(S2,))
        (answer,) = ask_all([at(server.url)])
    assert answer is not None
    assert not answer.ok
    assert answer.detail.startswith("catalog/collection-missing: ")


def test_no_more_than_so_many_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def slow(*_: Any) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return Answer(ok=True, detail="")

    monkeypatch.setattr(asking, "ask", slow)
    assert len(ask_all([at("/somewhere")] * 6, at_once=2)) == 6
    assert most == [2]


def test_a_defect_is_not_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Answer:
        raise ZeroDivisionError

    monkeypatch.setattr(asking, "ask", broken)
    with pytest.raises(ZeroDivisionError):
        ask_all([at("/somewhere")])


def test_who_goes_out_through_a_proxy_knocks_there(monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    """A name that only the proxy can resolve is no reason to call its owner dead."""
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        serve_api(server, [], collections=(S2, "s1", "dem"))
        monkeypatch.setenv("http_proxy", server.url)
        assert asking._knock("http://provider.invalid/stac") is None
        monkeypatch.setenv("http_proxy", closed)
        told = asking._knock("http://provider.invalid/stac")
    assert told is not None
    assert GONE in told.detail
