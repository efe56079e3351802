"""Whole builds over a server that misbehaves: they finish without help, and every chip has the bytes of a calm day."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

import rsprep
from rsprep.reading.access import ReadPolicy
from rsprep.resources import shipped
from tests.fakes.ranges import Faults, RangeServer
from tests.rsprep.conftest import DAYS, PlantedSource
from tests.rsprep.truth import digests

SMALL = {
    "aoi": "12.645,48.035,12.685,48.065",
    "end": str(DAYS[1]),
    "grid": {"chip_size": 64},
    "sentinel2": {"composite": "median", "bands": ["B02", "B05", "B09"]},
    "sentinel1": {"orbit": "ascending"},
}


@pytest.fixture(scope="module")
def calm(planted_source: PlantedSource, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the same chips made from files on a disk."""
    out = tmp_path_factory.mktemp("calm")
    assert rsprep.build(planted_source.config(out, **SMALL)).failures == 0
    found = digests(out / "chips")
    assert len(found) > 2
    return found


Build = Callable[..., dict[str, str]]


@pytest.fixture
def built(planted_source: PlantedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds from a server, without long pauses; gives the digests, and leaves nothing quarantined."""

    def build(server: RangeServer, *, policy: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
        quick = partial(ReadPolicy, backoff_s=0.02, **(policy or {}))
        monkeypatch.setattr("rsprep.job.supplies.ReadPolicy", quick)
        settings = {**SMALL, "endpoint": f"{server.url}/catalog.json", **more}
        outcome = rsprep.build(planted_source.config(tmp_path, **settings))
        assert outcome.failures == 0
        return digests(tmp_path / "chips")

    return build


def test_a_calm_server_gives_what_the_disk_gives(
    planted_source: PlantedSource, calm: dict[str, str], built: Build
) -> None:
    with RangeServer(planted_source.root) as server:
        assert built(server) == calm
        assert 0 < server.seen(path=r"\.tif$") == server.seen(206)
        assert 4 < server.most_at_once <= 64
        assert server.most_connections <= 80  # two workers in one process, and the search of the catalog


def test_every_tenth_request_is_too_many(planted_source: PlantedSource, calm: dict[str, str], built: Build) -> None:
    with RangeServer(planted_source.root, faults=Faults(too_many=0.1, retry_after="0")) as server:
        assert built(server) == calm
        assert server.seen(429) >= 0.09 * server.seen(path=r"\.tif$")


def test_every_file_is_out_of_service_once(planted_source: PlantedSource, calm: dict[str, str], built: Build) -> None:
    """Pitfall 6."""
    with RangeServer(planted_source.root, faults=Faults(unavailable_once=True)) as server:
        assert built(server) == calm
        assert server.seen(503) == len({one.path for one in server.log if one.path.endswith(".tif")}) > 10


def test_one_request_stalls(planted_source: PlantedSource, calm: dict[str, str], built: Build) -> None:
    """It is given up after its time, and tried again."""
    with RangeServer(planted_source.root, faults=Faults(stall_s=3.0)) as server:
        assert built(server, policy={"timeout_s": 0.5}) == calm


def test_half_answers_and_dead_connections(planted_source: PlantedSource, calm: dict[str, str], built: Build) -> None:
    """Pitfall 7: never zeros."""
    fates = ["none", "short", "none", "shut", "reset", "none", "other", "500"] * 4
    patient = {"workers": 2, "retries": 12}  # whichever request comes next meets the next fate: one may meet several
    with RangeServer(planted_source.root, faults=Faults(next=fates)) as server:
        assert built(server, engine=patient) == calm
        assert not server.faults.next


def test_tokens_end_in_mid_job(
    planted_source: PlantedSource, calm: dict[str, str], built: Build, tmp_path: Path
) -> None:
    """Pitfall 5: a token says that it holds for 45 minutes and is refused after 20 requests."""
    with RangeServer(planted_source.root, faults=Faults(token_requests=20)) as server:
        definition = yaml.safe_load((shipped("catalogs") / "sources" / "planted.yaml").read_text())
        definition["signing"] = {"service": server.token_service, "hosts": ["127.0.0.1"]}
        (tmp_path / "signed.yaml").write_text(yaml.safe_dump(definition))
        assert built(server, source=str(tmp_path / "signed.yaml")) == calm
        assert server.seen(403) > 0
        assert len(server.tokens) > 2
        assert server.seen(206) > 40
    for path in tmp_path.rglob("*"):  # no signature on the disk: journal, store, catalog, lock, report
        if path.is_file():
            assert not re.search(rb"signature-\d", path.read_bytes()), path
    with sqlite3.connect(tmp_path / "chips" / "journal.sqlite") as journal:
        assert "signature-" not in "\n".join(journal.iterdump())


def test_a_file_that_never_comes_costs_the_chips_it_may_touch(
    planted_source: PlantedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quarantine with the reason; once the server has it again, --retry-failed makes them as they ought to be."""
    monkeypatch.setattr("rsprep.job.supplies.ReadPolicy", partial(ReadPolicy, backoff_s=0.01, patience=1))
    with RangeServer(planted_source.root, faults=Faults(on=r"B05\.tif$", too_many=1.0)) as server:
        config = planted_source.config(
            tmp_path,
            **{**SMALL, "layers": ["s2"], "endpoint": f"{server.url}/catalog.json", "engine": {"outage_s": 0.1}},
        )
        assert rsprep.build(config).failures > 0
        with sqlite3.connect(tmp_path / "chips" / "journal.sqlite") as journal:
            reasons = {reason for (reason,) in journal.execute("select reason from chips where state = 'quarantined'")}
        assert all("read/unreachable" in reason and "busy (429)" in reason for reason in reasons)
        server.faults = Faults()
        assert rsprep.build(config, retry_failed=True).failures == 0
