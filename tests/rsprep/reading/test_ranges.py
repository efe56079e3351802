"""The range client by itself: what is joined, what is kept, how long is waited."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.errors import ReadError
from rsprep.reading.access import ReadPolicy
from rsprep.reading.opener import RangedFile, opened
from rsprep.reading.outage import leaving, left_at_once
from rsprep.reading.ranges import GAP_BYTES, HEADER_BYTES, LONGEST_BYTES, RangeClient, Remote, joined
from tests.fakes.ranges import Faults, RangeServer

CONTENT = np.random.default_rng(5).integers(0, 256, 3_000_000, np.uint8).tobytes()
QUICK = ReadPolicy(sleep=lambda _: None, timeout_s=2.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    for number in range(3):
        (tmp_path / f"{number}.tif").write_bytes(CONTENT)
    with RangeServer(tmp_path) as running:
        yield running


def remote(server: RangeServer, number: int = 0, policy: ReadPolicy = QUICK) -> Remote:
    return Remote(href=f"{server.url}/{number}.tif", signer=None, policy=policy)


@given(st.lists(st.tuples(st.integers(0, 2**24), st.integers(1, 2**20)), min_size=1, max_size=40))
def test_joined_ranges_hold_every_range_and_stay_in_bounds(wanted: list[tuple[int, int]]) -> None:
    ranges = [(first, first + size) for first, size in wanted]
    spans = joined(ranges)
    assert all(any(start <= first and end <= stop for start, stop in spans) for first, end in ranges)
    assert spans == sorted(spans)
    longest = max(end - first for first, end in ranges)
    assert all(stop - start <= max(LONGEST_BYTES, 2 * longest) for start, stop in spans)
    gaps = sum(stop - start for start, stop in spans) - sum(end - first for first, end in ranges)
    assert gaps <= GAP_BYTES * (len(ranges) - 1)


def test_neighbours_are_one_request_and_others_their_own(server: RangeServer) -> None:
    client, file = RangeClient(), remote(server)
    header, kept = client.header(file)
    assert (header.data, header.total, kept) == (CONTENT[:HEADER_BYTES], len(CONTENT), False)
    ranges = [(2_000_000, 2_000_010), (100_000, 150_000), (150_000, 160_000), (161_000, 161_001), (100_500, 100_600)]
    assert client.fetch(file, header, ranges) == [CONTENT[first:end] for first, end in ranges]
    assert sorted(one.range for one in server.log[1:]) == ["bytes=100000-161000", "bytes=2000000-2000009"]


def test_headers_are_kept_within_their_bound(server: RangeServer) -> None:
    client = RangeClient(kept_bytes=2 * HEADER_BYTES)
    for number in (0, 1, 0, 2, 0):
        client.header(remote(server, number))
    assert server.seen() == 3
    client.header(remote(server, 1))
    assert server.seen() == 4


def test_a_range_beyond_the_end_is_an_error(server: RangeServer) -> None:
    client, file = RangeClient(), remote(server)
    header, _ = client.header(file)
    with pytest.raises(ReadError, match="ends at byte 3000000"):
        client.fetch(file, header, [(2_999_000, 3_000_001)])


def test_waits_grow_within_bounds_and_a_server_can_ask_for_more_but_not_for_a_day(server: RangeServer) -> None:
    waits: list[float] = []
    policy = replace(QUICK, sleep=waits.append, attempts=3, longest_wait_s=4.0)
    server.faults = Faults(next=["503"] * 99)
    with pytest.raises(ReadError, match="unreachable"):
        RangeClient().header(remote(server, policy=policy))
    bounds = [0.5, 1.0, 2.0, *[4.0] * 7]
    assert len(waits) == len(bounds)
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    soon = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20), usegmt=True)
    for said, least, most in (("7", 7, 7), ("86400", 60, 60), (soon, 15, 20), ("soon", 0.25, 0.5)):
        waits.clear()
        server.faults = Faults(next=["429"], retry_after=said)
        RangeClient().header(remote(server, policy=policy))
        assert least <= waits[0] <= most


def test_what_goes_wrong_within_gdal_comes_out_as_it_was(server: RangeServer) -> None:
    """Also where GDAL makes something of the zeros: pixels of an uncompressed file, for instance."""
    file = RangedFile(RangeClient(), remote(server))
    server.faults = Faults(next=["404"])
    assert file.get_byte_ranges([1_000_000], [4]) == [bytes(4)]
    assert isinstance(file.error, ReadError)
    assert (file.seek(1_000_000), file.read(4)) == (1_000_000, b"")  # it stays broken
    with pytest.raises(ReadError, match="absent"):
        opened(file, lambda _: None, driver="GTiff")


def test_a_ranged_file_reads_as_files_do(server: RangeServer) -> None:
    file = RangedFile(RangeClient(), remote(server))
    for offset, size in ((0, 10), (HEADER_BYTES - 5, 10), (1_000_000, 4), (1_000_004, 4), (2_999_990, 100), (3, -1)):
        assert file.seek(offset) == offset
        expected = CONTENT[offset:] if size < 0 else CONTENT[offset : offset + size]
        assert file.read(size) == expected
        assert file.tell() == offset + len(expected)
    assert file.seek(-10, 2) == len(CONTENT) - 10
    assert file.seek(4, 1) == len(CONTENT) - 6
    assert file.read() == CONTENT[-6:]
    assert file.error is None
    assert server.seen() <= 6  # steps of 64 KiB, not of 4 bytes


def test_a_header_that_no_longer_holds_is_forgotten(server: RangeServer) -> None:
    client, file = RangeClient(), remote(server)
    header, _ = client.header(file)
    server.faults = Faults(changes_after=1)
    with pytest.raises(ReadError, match="changed"):
        client.fetch(file, header, [(1_000_000, 1_000_010)])
    _, kept = client.header(file)
    assert not kept


def test_answers_that_fail_give_their_connections_back(server: RangeServer) -> None:
    """Otherwise readers wait for ever for one of the few."""
    client, file = RangeClient(connections=2), remote(server)
    server.faults = Faults(next=["404", "shut", "other", "whole"])
    fetched: list[int] = []

    def read() -> None:
        for number in (0, 1, 2):
            with contextlib.suppress(ReadError):
                fetched.append(client.header(replace(file, href=remote(server, number).href))[0].total)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(timeout=10)
    assert fetched == [len(CONTENT)] * 2


class Clock:
    """Time that passes only while somebody waits; `after` so many seconds something happens."""

    def __init__(self, after: float = math.inf, happens: Callable[[], None] = lambda: None) -> None:
        self.now, self.after, self.happens = 0.0, after, happens

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.after:
            self.after = math.inf
            self.happens()

    def policy(self, outage_s: float) -> ReadPolicy:
        return replace(QUICK, attempts=2, patience=0, outage_s=outage_s, sleep=self.sleep, clock=lambda: self.now)


@pytest.mark.parametrize("fate", ["503", "429", "502", "reset"])
def test_an_outage_of_minutes_is_outlasted(server: RangeServer, fate: str) -> None:
    """Pitfall 6: every answer of eleven minutes is a refusal, or there is none."""
    clock = Clock(660.0, lambda: server.faults.next.clear())
    server.faults = Faults(next=[fate] * 10_000)
    header, _ = RangeClient().header(remote(server, policy=clock.policy(900.0)))
    assert header.data == CONTENT[:HEADER_BYTES]
    assert 660 <= clock.now < 700
    assert server.seen() < 60, "it asks now and then, and not all the time"


def test_a_server_that_stays_away_is_waited_for_once_and_not_by_every_request(server: RangeServer) -> None:
    clock, client = Clock(), RangeClient()
    server.faults = Faults(next=["503"] * 10_000)
    for number, (least, most) in enumerate([(900, 940), (0, 5), (0, 5)]):
        before = clock.now
        with pytest.raises(ReadError, match="unreachable"):
            client.header(remote(server, number, clock.policy(900.0)))
        assert least <= clock.now - before <= most
    server.faults = Faults()
    client.header(remote(server, 0, clock.policy(900.0)))
    server.faults = Faults(next=["503"] * 10_000)
    before = clock.now
    with pytest.raises(ReadError, match="unreachable"):
        client.header(remote(server, 1, clock.policy(900.0)))
    assert clock.now - before >= 900, "it had been back: this is another outage"


def test_what_a_server_answers_wrongly_is_no_outage(server: RangeServer) -> None:
    """A file that is broken at its provider is not worth a quarter of an hour."""
    for fate in ("500", "short", "shut", "other"):
        clock = Clock()
        server.faults = Faults(next=[fate] * 10_000)
        with pytest.raises(ReadError, match="after 2 attempts"):
            RangeClient().header(remote(server, policy=clock.policy(900.0)))
        assert clock.now <= 1.0


def test_one_file_that_is_never_served_waits_its_own_time_only(server: RangeServer) -> None:
    """Others are answered all the while, so that the server is never away."""
    clock, client = Clock(), RangeClient()
    server.faults = Faults(on=r"/1\.tif$", too_many=1.0)

    def others(seconds: float) -> None:
        client.forget(remote(server).href)
        client.header(remote(server))
        clock.sleep(seconds)

    with pytest.raises(ReadError, match="unreachable"):
        client.header(remote(server, 1, replace(clock.policy(900.0), sleep=others)))
    assert 900 <= clock.now <= 940


def test_whoever_leaves_waits_no_longer(server: RangeServer) -> None:
    """Ctrl-C in an outage."""
    server.faults = Faults(next=["503"] * 10_000)
    policy = ReadPolicy(backoff_s=600.0, longest_wait_s=600.0, outage_s=900.0)
    failed: list[BaseException] = []

    def read() -> None:
        try:
            RangeClient().header(remote(server, policy=policy))
        except ReadError as error:
            failed.append(error)

    reading = threading.Thread(target=read, daemon=True)
    with contextlib.suppress(KeyboardInterrupt), left_at_once():
        reading.start()
        while not server.seen(503):
            reading.join(0.01)
        raise KeyboardInterrupt
    reading.join(10)
    assert [str(error)[:16] for error in failed] == ["read/unreachable"]
    with left_at_once():
        assert not leaving()
