"""A canary in every secret: builds that are signed, refused, broken off and told about, and no trace of it anywhere."""

from __future__ import annotations

import io
import logging
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

import rsprep
from rsprep.cli.main import main
from rsprep.reading.access import ReadPolicy
from rsprep.resources import shipped
from tests.fakes.ranges import Faults, RangeServer
from tests.rsprep.conftest import DAYS, PlantedSource

CANARY = "canary-5f1e"
HOME = "canary-77aa"
"""In variables of the environment, where object stores and proxies look for theirs."""


class Singing(RangeServer):
    """Signatures have the canary in them."""

    def give_token(self) -> dict[str, str]:
        told = super().give_token()
        signature = told["token"].rpartition("=")[2]
        with self._lock:
            self.tokens[f"{CANARY}-{signature}"] = self.tokens.pop(signature)
        return {**told, "token": f"sp=r&sig={CANARY}-{signature}"}


def texts(path: Path) -> Iterator[bytes]:
    """What a file says, packed or not."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pylist()).encode()
        yield repr(pq.read_schema(path).metadata).encode()
    elif path.suffix == ".sqlite":
        with sqlite3.connect(path) as journal:
            yield "\n".join(journal.iterdump()).encode()
        journal.close()
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif data[:2] == b"\x78\x9c":
        yield zlib.decompress(data)


def test_no_secret_is_stored_or_told(
    planted_source: PlantedSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("rsprep.job.supplies.ReadPolicy", partial(ReadPolicy, backoff_s=0.01, patience=0, attempts=2))
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.setenv(name, HOME)
    caplog.set_level(logging.DEBUG)
    with Singing(planted_source.root, faults=Faults(token_requests=15)) as server:
        definition = yaml.safe_load((shipped("catalogs") / "sources" / "planted.yaml").read_text())
        definition["signing"] = {"service": server.token_service, "hosts": ["127.0.0.1"]}
        (tmp_path / "signed.yaml").write_text(yaml.safe_dump(definition))
        config = planted_source.config(
            tmp_path,
            aoi="12.645,48.035,12.665,48.045",
            end=str(DAYS[0]),
            grid={"chip_size": 64},
            layers=["s2"],
            sentinel2={"bands": ["B02", "B05"]},
            source=str(tmp_path / "signed.yaml"),
            endpoint=f"{server.url}/catalog.json",
        )
        server.faults.next = ["404", "500", "short", "reset", "403", "500", "500"]
        rsprep.build(config)
        server.faults.next = []
        dataset = str(tmp_path / "chips")
        told = [main(["inspect", dataset]), main(["verify", dataset]), main(["report", dataset])]
        assert rsprep.build(config, retry_failed=True).failures == 0
        assert main(["export", dataset, str(tmp_path / "tif")]) == 0
        assert told[0] == 0
        server.faults = Faults(token_requests=0)  # whatever is signed is refused: a build that fails, and says why
        (tmp_path / "refused.yaml").write_text(yaml.safe_dump({**config, "out": str(tmp_path / "refused")}))
        assert main(["build-multisource", "--config", str(tmp_path / "refused.yaml")]) != 0
        assert any(CANARY in one.query for one in server.log), "the canary was out"
    out, err = capfd.readouterr()
    said = [out, err, caplog.text, *(str(record.args) for record in caplog.records)]
    assert len(caplog.records) > 50
    for canary in (CANARY, HOME):
        assert not any(canary in text for text in said)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) > 10
        assert [path for path in files for text in texts(path) if canary.encode() in text] == []
