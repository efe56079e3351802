"""Windows of files on a web server that misbehaves on demand: the pixels are right or an error tells why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsprep.errors import RasterError, ReadError
from rsprep.granule import Asset
from rsprep.reading import ReadPolicy
from rsprep.reading.access import Signer
from rsprep.reading.control import ControlCache
from rsprep.reading.files import FileAccess, most_requests
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Window
from tests.fakes.ranges import Faults, RangeServer
from tests.rsprep.reading.rasters import landscape, read_window, utm, write

GRID = utm(700_000, 5_400_000, (600, 640))
VALUES = landscape((600, 640))
QUICK = ReadPolicy(sleep=lambda _: None, timeout_s=2.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    """Large enough that a window of the lower half has no block in the piece that is read with the header."""
    write(tmp_path / "a.tif", VALUES, GRID, 0, compress="none")
    with RangeServer(tmp_path) as running:
        yield running


def lower_half(
    server: RangeServer, *, name: str = "a.tif", policy: ReadPolicy = QUICK, signer: Signer | None = None
) -> Window | None:
    asset = Asset(href=f"{server.url}/{name}", grid=GRID)
    return read_window(asset, GRID[300:, :], nodata=0, dtype="uint16", policy=policy, signer=signer)


def check(window: Window | None) -> None:
    assert window is not None
    np.testing.assert_array_equal(window.values, VALUES[-window.values.shape[0] :])


@pytest.mark.parametrize(
    "fates",
    [
        ["503"], ["503"] * 11, ["none", "429"], ["500", "none", "502"], ["408", "408"], ["none", "short"], ["short"],
        ["reset"], ["none", "reset", "reset"], ["shut"], ["none", "shut"], ["none", "other"], ["whole"],
        ["none", "whole"],
    ],
    ids="-".join,
)  # fmt: skip
def test_a_passing_fault_is_survived_on_the_same_url(server: RangeServer, fates: list[str]) -> None:
    """Pitfalls 6 and 7: a busy server, a connection that dies, half an answer, another answer than was asked for."""
    server.faults = Faults(next=list(fates))
    check(lower_half(server))
    assert not server.faults.next


@pytest.mark.parametrize(
    ("fate", "name", "said"),
    [
        ("500", "read/unreachable", "4 attempts: the server answered 500"),
        ("short", "read/unreachable", "were asked for"),
        ("shut", "read/unreachable", "attempts"),
        ("reset", "read/unreachable", "attempts"),
        ("whole", "read/unreachable", "no ranges"),
        ("429", "read/unreachable", "12 attempts: the server is busy"),
        ("404", "read/absent", "no such file"),
        ("401", "read/refused", "401"),
        ("403", "read/refused", "403"),
    ],
)
@pytest.mark.parametrize("before", [[], ["none"]], ids=["header", "pixels"])
def test_a_lasting_fault_has_a_name_and_poisons_nothing(
    server: RangeServer, before: list[str], fate: str, name: str, said: str
) -> None:
    """Never zeros; and once the fault is gone, the same file on the same URL is read."""
    server.faults = Faults(next=[*before, *[fate] * 99])
    with pytest.raises(ReadError) as caught:
        lower_half(server)
    assert caught.value.name == name
    assert said in str(caught.value)
    server.faults = Faults()
    check(lower_half(server))


def test_what_is_not_there_is_asked_for_once(server: RangeServer) -> None:
    with pytest.raises(ReadError, match="absent"):
        lower_half(server, name="b.tif")
    assert server.seen() == 1


class Clerk:
    """A signer of three secrets."""

    def __init__(self) -> None:
        self.given = 0

    def sign(self, href: str) -> str:
        return f"{href}?sig=SECRET{self.given}"

    def renew(self, refused: str) -> str:
        self.given += 1
        return self.sign(refused.split("?")[0])


def test_a_refused_signature_is_renewed_and_none_is_shown(server: RangeServer) -> None:
    """Pitfall 5: 403 in the middle of a file; after four signatures the file counts as refused."""
    server.faults = Faults(next=["none", "403", "403"])
    clerk = Clerk()
    check(lower_half(server, signer=clerk))
    assert clerk.given == 2
    assert {one.query for one in server.log} == {"sig=SECRET0", "sig=SECRET1", "sig=SECRET2"}
    server.faults = Faults(next=["403"] * 99)
    with pytest.raises(ReadError) as caught:
        lower_half(server, signer=Clerk())
    assert caught.value.name == "read/refused"
    assert "SECRET" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None


def test_secrets_are_not_shown_where_no_server_answers(server: RangeServer) -> None:
    asset = Asset(href="http://127.0.0.1:9/a.tif", grid=GRID)
    with pytest.raises(ReadError) as caught:
        read_window(asset, GRID, nodata=0, dtype="uint16", signer=Clerk(), policy=QUICK)
    assert caught.value.name == "read/unreachable"
    assert "127.0.0.1:9/a.tif" in str(caught.value)
    assert "SECRET" not in repr(caught.value) + str(caught.value)


def test_a_stall_ends_in_a_new_attempt(server: RangeServer) -> None:
    server.faults = Faults(stall_s=3.0, stall_at=2)
    check(lower_half(server, policy=replace(QUICK, timeout_s=0.3)))
    assert server.seen() >= 2


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(server: RangeServer) -> None:
    """Header of one version and blocks of another would be pixels of neither."""
    server.faults = Faults(changes_after=1)
    with pytest.raises(ReadError, match="changed"):
        lower_half(server, policy=replace(QUICK, attempts=1))
    server.faults = Faults()
    check(lower_half(server))


def test_a_file_replaced_since_its_header_was_kept_is_read_as_it_is_now(server: RangeServer, tmp_path: Path) -> None:
    check(lower_half(server))
    other = np.where(VALUES > 0, VALUES + 1, VALUES).astype(np.uint16)
    write(tmp_path / "a.tif", np.concatenate([other[:10], VALUES[10:]]), GRID, 0, compress="deflate")
    check(lower_half(server))


def test_length_and_item_must_agree(server: RangeServer) -> None:
    asset = Asset(href=f"{server.url}/a.tif", grid=GRID, size=12345)
    with pytest.raises(RasterError, match="12345"):
        read_window(asset, GRID, nodata=0, dtype="uint16", policy=QUICK)


def test_damaged_bytes_are_an_error_and_asked_for_again(server: RangeServer, tmp_path: Path) -> None:
    """Pitfall 7, and the second chance: what a cache on the way damaged may come whole the next time."""
    write(tmp_path / "z.tif", VALUES, GRID, 0, compress="zstd")
    whole = (tmp_path / "z.tif").read_bytes()
    damaged = bytearray(whole)
    damaged[-20_000:] = bytes(20_000)
    (tmp_path / "z.tif").write_bytes(damaged)
    with pytest.raises(ReadError, match="undecodable"):
        lower_half(server, name="z.tif")
    tried = server.seen(path="z.tif")
    assert tried >= 4
    (tmp_path / "z.tif").write_bytes(whole)
    check(lower_half(server, name="z.tif"))


def test_schemes_that_are_not_read_are_refused() -> None:
    for href in ("s3://bucket/a.tif", "gs://bucket/a.tif", "ftp://host/a.tif", "/vsicurl/http://host/a.tif"):
        with pytest.raises(RasterError, match="unsupported-href"):
            read_window(Asset(href=href, grid=GRID), GRID, nodata=0, dtype="uint16")


@pytest.mark.parametrize("profile", [{}, {"interleave": "pixel"}, {"tiled": False, "blockysize": 16}])
def test_other_layouts_cost_more_requests_and_give_the_same(
    server: RangeServer, tmp_path: Path, profile: dict[str, object]
) -> None:
    """Directories at the end of a file, strips, several bands."""
    with rasterio.open(
        tmp_path / "b.tif", "w", driver="GTiff", height=600, width=640, count=2, dtype="uint16", nodata=0,
        crs=str(GRID.crs), transform=GRID.affine, **{"tiled": True, "blockxsize": 64, "blockysize": 64, **profile},
    ) as file:  # fmt: skip
        file.write(VALUES, 2)
        file.write(VALUES[::-1].copy(), 1)
        file.update_tags(**{f"padding{n}": "x" * 5000 for n in range(30)})
    asset = Asset(href=f"{server.url}/b.tif", grid=GRID, band=2)
    check(read_window(asset, GRID[300:, :], nodata=0, dtype="uint16", policy=QUICK))


def test_threads_share_connections_and_a_header(server: RangeServer) -> None:
    """Bounded: 40 readers, at most 32 connections; and one header for all of them."""
    server.faults = Faults(latency_s=0.01)
    start = threading.Barrier(40)

    def one(_: int) -> Window | None:
        start.wait()
        return lower_half(server)

    with ThreadPoolExecutor(40) as pool:
        for window in pool.map(one, range(40)):
            check(window)
    assert server.most_connections <= 32
    assert sum(one.range.startswith("bytes=0-") for one in server.log) == 1


def test_a_dry_run_promises_no_less_than_a_read_takes(server: RangeServer) -> None:
    access = FileAccess(None, QUICK)
    spec = BandSpec(dtype="uint16", nodata=0)
    for part in (GRID[300:, :], GRID[10:50, 20:300], GRID):
        asset = Asset(href=f"{server.url}/a.tif", grid=GRID)
        promised = access.cost([asset], spec, ControlCache(part))
        before = server.seen()
        window = access.window(asset, spec, ControlCache(part))
        assert window is not None
        assert 0 < server.seen() - before + 1 <= promised.requests
        assert promised.bytes == window.values.nbytes
    assert most_requests((1024, 1024), 2) < 10
    local = Asset(href="/somewhere/a.tif", grid=GRID)
    assert access.cost([local], spec, ControlCache(GRID)).requests == 0


def test_no_signature_is_written_to_a_log(server: RangeServer, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 notes the addresses of requests for whoever asks for that much."""
    with caplog.at_level("DEBUG"):
        check(lower_half(server, signer=Clerk()))
    assert "GET /a.tif" in caplog.text
    assert "SECRET" not in caplog.text
