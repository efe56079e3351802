"""Faults of the service: what passes is waited for, what lasts has a name, and no fault becomes a pixel."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.config import EarthEngine
from rsprep.errors import BuildError, ReadError
from rsprep.granule import Granule
from rsprep.reading.access import Access, ReadPolicy
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Window
from rsprep.sources.earthengine import EarthEngineSource, session
from rsprep.sources.earthengine.login import make_login
from tests.fakes.earthengine import EarthEngineServer, Faults, definition
from tests.rsprep.conftest import EAST, NORTH, SOUTH, WEST

AREA = shapely.box(WEST, SOUTH, EAST, NORTH)
POLICY = ReadPolicy()
SPEC = BandSpec(dtype="uint16", nodata=65535)
REGISTER = "Project local-tests is not registered to use Earth Engine. Visit the console to register it."


def scene_of(source: EarthEngineSource) -> Granule:
    """The oldest Sentinel-2 granule."""
    start, end = dt.datetime(2021, 1, 1, tzinfo=dt.UTC), dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
    return source.find("sentinel2", AREA, start, end, bands=("B04",))[0]


@pytest.fixture
def scene(source: EarthEngineSource) -> Granule:
    return scene_of(source)


class Waits:
    """Stands in for sleep: notes how long was waited, and waits hardly at all."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, seconds: float) -> None:
        with self._lock:
            self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def access(source: EarthEngineSource, waits: Waits) -> Access:
    return source.access(ReadPolicy(attempts=4, sleep=waits))


def block(scene: Granule, number: int = 0) -> GeoBox:
    lattice = scene.assets["B04"].grid
    assert lattice is not None
    west, north = lattice.affine.c + 500 + 40 * number, lattice.affine.f - 500
    return GeoBox((32, 32), Affine(10, 0, west, 0, -10, north), lattice.crs)


def pixels(access: Access, scene: Granule, number: int = 0) -> NDArray[Any]:
    found: list[Window | None] = []
    controls = ControlCache(block(scene, number))
    access.read([scene.assets["B04"]], SPEC, controls, lambda index, window: found.append(window))
    (window,) = found
    assert window is not None
    return window.values


def many(access: Access, scene: Granule, count: int, threads: int = 16) -> list[NDArray[Any]]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda number: pixels(access, scene, number), range(count)))


def same(ours: list[NDArray[Any]], theirs: list[NDArray[Any]]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def plain(running: EarthEngineServer) -> list[NDArray[Any]]:
    """The pixels of 40 blocks when nothing goes wrong."""
    running.reset()
    source = EarthEngineSource(definition(running.world), running.url, EarthEngine(requests_per_second=100))
    return many(source.access(POLICY), scene_of(source), 40)


@pytest.mark.parametrize(
    ("faults", "status"),
    [(Faults(too_many=0.1), 429), (Faults(too_many=0.5), 429), (Faults(unavailable_once=True), 503)],
    ids=["a tenth too many", "half too many", "each unavailable once"],
)
def test_passing_faults_are_waited_for(
    server: EarthEngineServer, access: Access, scene: Granule, waits: Waits, plain: list[NDArray[Any]],
    faults: Faults, status: int,
) -> None:  # fmt: skip
    server.faults = faults
    assert same(many(access, scene, 40), plain)
    assert server.pixels_asked() == 40
    assert server.pixels_asked(status) == len(waits.seconds) > 0
    assert all(0 < seconds < POLICY.longest_wait_s + 1 for seconds in waits.seconds)


def test_a_stall_is_cut_short_by_the_deadline(
    server: EarthEngineServer, scene: Granule, waits: Waits, plain: list[NDArray[Any]]
) -> None:
    hasty = EarthEngineSource(definition(server.world), server.url, EarthEngine(deadline_s=0.5))
    access = hasty.access(ReadPolicy(sleep=waits))
    pixels(access, scene)  # logs in
    server.faults = Faults(stalls=1, stall_s=2.0)
    assert same([pixels(access, scene)], plain[:1])
    assert len(waits.seconds) == 1


def test_the_service_says_how_long_to_wait(
    server: EarthEngineServer, access: Access, scene: Granule, waits: Waits
) -> None:
    server.faults = Faults(unavailable_once=True, retry_after="7")
    pixels(access, scene)
    server.reset(Faults(unavailable_once=True, retry_after="86400"))
    pixels(access, scene)
    assert [round(seconds) for seconds in waits.seconds] == [7, round(POLICY.longest_wait_s)]


def test_pauses_grow(server: EarthEngineServer, access: Access, scene: Granule, waits: Waits) -> None:
    server.faults = Faults(deny=(503, "The service is currently unavailable."))
    with pytest.raises(ReadError, match=r"unavailable.*4 attempts"):
        pixels(access, scene)
    assert len(waits.seconds) == 3
    assert 0.25 <= waits.seconds[0] <= 0.6
    assert waits.seconds[2] > waits.seconds[0]


@pytest.mark.parametrize("wrong", ["shape", "dtype", "bands"])
def test_another_array_than_was_asked_for_is_no_pixels(
    server: EarthEngineServer, access: Access, scene: Granule, wrong: str
) -> None:
    server.faults = Faults(wrong=wrong)
    with pytest.raises(ReadError, match="wrong-answer"):
        pixels(access, scene)
    assert server.pixels_asked() == 1


@pytest.mark.parametrize("wrong", ["cut", "html"])
def test_what_is_no_array_is_asked_for_again(
    server: EarthEngineServer, access: Access, scene: Granule, wrong: str
) -> None:
    server.faults = Faults(wrong=wrong)
    with pytest.raises(ReadError, match=r"read/unavailable.*no array"):
        pixels(access, scene)
    assert server.pixels_asked() == 4


@pytest.mark.parametrize(
    ("deny", "name", "words"),
    [
        ((401, "Request had invalid authentication credentials."), "login-refused", "earthengine authenticate"),
        ((403, REGISTER), "project-refused", "--project"),
        (
            (403, "Earth Engine API has not been used in project 1 before."),
            "project-refused",
            "--pro",
        ),
        ((404, "Project 'projects/local-test' not found or deleted."), "project-refused", "--project"),
        ((403, "Not signed up for Earth Engine."), "project-refused", "register"),
        ((403, "Caller does not have required permission to use project x."), "permission-denied", "owner"),
        ((429, "Quota exceeded for Earth Engine compute time."), "quota", "wait"),
    ],
)
def test_what_every_task_would_meet_stops_the_build(
    server: EarthEngineServer,
    access: Access,
    scene: Granule,
    waits: Waits,
    deny: tuple[int, str],
    name: str,
    words: str,
) -> None:
    server.faults = Faults(deny=deny)
    with pytest.raises(BuildError, match=f"build/{name}") as caught:
        pixels(access, scene)
    assert deny[0] == 401 or deny[1][:30] in str(caught.value)
    assert words in caught.value.remedy
    assert "the same command goes on" in caught.value.remedy
    assert len(waits.seconds) == (POLICY.attempts + POLICY.patience - 1 if name == "quota" else 0)


def test_a_look_ahead_that_is_told_to_wait_is_no_verdict(
    server: EarthEngineServer, source: EarthEngineSource, scene: Granule
) -> None:
    """Before a build each band is probed once, without patience; one refusal must not end what has not begun."""
    server.faults = Faults(too_many=1.0)
    with pytest.raises(ReadError, match="unavailable"):
        pixels(source.access(ReadPolicy(attempts=1, patience=0)), scene)


def test_faults_of_one_kind_do_not_use_up_the_tries_of_another(
    server: EarthEngineServer, source: EarthEngineSource, scene: Granule, waits: Waits, plain: list[NDArray[Any]]
) -> None:
    server.faults = Faults(too_many=0.5, unavailable_once=True)
    assert same(many(source.access(ReadPolicy(attempts=2, sleep=waits)), scene, 40), plain)


def test_an_image_that_is_gone_costs_its_chips_only(
    server: EarthEngineServer, access: Access, scene: Granule, waits: Waits
) -> None:
    server.faults = Faults(gone={f"COPERNICUS/S2_SR_HARMONIZED/{scene.id}"})
    with pytest.raises(ReadError, match="image-gone") as caught:
        pixels(access, scene)
    assert scene.id in str(caught.value)
    assert not waits.seconds


def test_a_request_that_is_refused_is_told(server: EarthEngineServer, access: Access, scene: Granule) -> None:
    server.faults = Faults(deny=(400, "Total request size (60000000 bytes) must be less than 50331648 bytes."))
    with pytest.raises(ReadError, match=r"request-refused.*60000000"):
        pixels(access, scene)


def test_a_server_that_is_not_there(server: EarthEngineServer, scene: Granule, waits: Waits) -> None:
    nowhere = EarthEngineSource(definition(server.world), "http://127.0.0.1:9", EarthEngine())
    with pytest.raises(ReadError, match="unavailable"):
        pixels(nowhere.access(ReadPolicy(attempts=2, sleep=waits)), scene)
    assert len(waits.seconds) == 1


def test_sixteen_workers_never_exceed_the_limiter(
    server: EarthEngineServer, scene: Granule, tmp_path: Path, plain: list[NDArray[Any]]
) -> None:
    """Each worker has an access of its own, as tasks do; what they share is the folder."""
    server.faults = Faults(latency_s=0.02)
    settings = EarthEngine(concurrent=5, requests_per_second=100)
    source = EarthEngineSource(definition(server.world), server.url, settings)

    def one(number: int) -> NDArray[Any]:
        return pixels(source.access(ReadPolicy(), tmp_path), scene, number)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, range(40)))
    assert same(found, plain)
    assert server.most_at_once <= 5
    gaps = np.diff(sorted(server.begun))
    assert len(gaps) == 39
    assert sum(gaps) >= 39 / 100 - 0.05


def test_two_services_in_one_process(
    server: EarthEngineServer, access: Access, scene: Granule, plain: list[NDArray[Any]]
) -> None:
    """The client's state is global: whoever enters with another login waits, and logs in anew."""
    with EarthEngineServer(server.world) as second:
        other = EarthEngineSource(definition(server.world), second.url, EarthEngine(project="second-one"))
        accesses = [access, other.access(ReadPolicy())]

        def one(number: int) -> NDArray[Any]:
            return pixels(accesses[number % 4 // 2], scene, number)

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(one, range(8)))
        assert same(found, plain[:8])
        assert (server.pixels_asked(), second.pixels_asked()) == (4, 4)
        assert second.projects == {"second-one"}
        pixels(access, scene)  # leaves the second one before it goes


def test_another_login_waits_until_nobody_uses_this_one(server: EarthEngineServer) -> None:
    one, other = (make_login(EarthEngine(project=name), server.url) for name in ("first-one", "second-one"))

    def enter() -> None:
        with session._entered(other):
            pass

    with ThreadPoolExecutor(1) as pool:
        with session._entered(one), session._entered(one):
            waiting = pool.submit(enter)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            assert server.projects == {"first-one"}
        waiting.result(timeout=10)
    assert server.projects == {"first-one", "second-one"}


def test_a_defect_of_ours_is_not_retried(
    source: EarthEngineSource, access: Access, scene: Granule, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ee

    def broken(request: dict[str, Any]) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(ee.data, "computePixels", broken)
    with pytest.raises(KeyError, match="a defect"):
        pixels(access, scene)
    assert not waits.seconds
