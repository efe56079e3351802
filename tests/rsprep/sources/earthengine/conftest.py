"""One Earth Engine for all these tests, over the planted source; nobody's own login is ever read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rsprep.config import EarthEngine
from rsprep.sources.earthengine import EarthEngineSource
from rsprep.sources.earthengine.session import leave
from tests.fakes.earthengine import EarthEngineServer, definition
from tests.rsprep.conftest import PlantedSource

VARIABLES = ("EARTHENGINE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS")


@pytest.fixture(autouse=True)
def _nobodys_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "home" / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def running(planted_source: PlantedSource) -> Iterator[EarthEngineServer]:
    """The server, whose address stays the same, so that the client logs in once."""
    with EarthEngineServer(planted_source.root) as server:
        yield server
        leave()


@pytest.fixture
def server(running: EarthEngineServer) -> EarthEngineServer:
    """The server without faults, its counts at zero."""
    running.reset()
    return running


@pytest.fixture
def source(server: EarthEngineServer) -> EarthEngineSource:
    """The shipped definition on that server; 20 requests at a time, as fast as they come."""
    return EarthEngineSource(definition(server.world), server.url, EarthEngine(requests_per_second=100))
