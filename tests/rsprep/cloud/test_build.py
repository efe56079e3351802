"""A build into a bucket: the same bytes as on a disk, whatever happens on the way."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import obstore
import pytest

import rsprep
from rsprep.cli.main import main
from rsprep.cloud import lease, objects
from rsprep.cloud.address import Address, place
from rsprep.cloud.lease import Lease
from rsprep.config import make_config
from rsprep.errors import BuildError, StoreError
from rsprep.job import desk as desk_module
from rsprep.job.desk import at_desk
from rsprep.job.journal import Journal
from rsprep.job.journal_view import JournalView
from rsprep.job.plan import build_identity
from rsprep.job.verify import verify
from tests.fakes.bucket import KEY, SECRET, outage
from tests.rsprep.job.conftest import Undisturbed
from tests.rsprep.job.drill import Build, running_build
from tests.rsprep.job.tiny import TinySource, different_files

SMALL = {".lease", "collection.json", "config.lock.yaml", "journal.sqlite", "report.html"}


def out(name: str) -> Address:
    address = place(f"s3://bucket/{name}/chips")
    assert isinstance(address, Address)
    return address


def all_objects(home: Address) -> dict[str, bytes]:
    """Every object below `home`, by its name from there."""
    store = objects.client(home)
    names = [one["path"] for batch in obstore.list(store) for one in batch]
    return {name: bytes(obstore.get(store, name).bytes()) for name in names}


def check_equal(home: Address, undisturbed: Undisturbed) -> None:
    """No chip lost, altered or doubled, no byte another; and nothing else is there."""
    report = verify(home)
    assert report.ok, report
    assert report.checked == len(undisturbed.digests)
    found = all_objects(home)
    assert set(found) - set(undisturbed.files) == SMALL
    pixels = {name: content for name, content in found.items() if name not in SMALL}
    assert different_files(pixels, undisturbed.files) == []


def test_a_build_into_a_bucket_equals_the_local_one(
    s3: str, tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its command, with processes as workers; and everything that reads a data set reads this one."""
    home = out("equal")
    recipe = tiny.recipe(tmp_path, out=str(home), engine={"scheduler": "processes", "workers": 2})
    assert main(["build-multisource", "--config", str(recipe), "--dry-run"]) == 0
    assert all_objects(home) == {}
    assert main(["build-multisource", "--config", str(recipe)]) == 0
    check_equal(home, undisturbed)
    found = all_objects(home)
    assert not any(secret.encode() in content for content in found.values() for secret in (KEY, SECRET))
    assert f'"href": "{home}/collection.json"' in (tmp_path / "catalog" / "catalog.json").read_text()
    assert len(rsprep.open(str(home)).chip_id) == len(undisturbed.digests)
    for command in (["inspect"], ["verify"], ["report"]):
        assert main([*command, str(home)]) == 0
    assert main(["export", str(home), str(tmp_path / "tif"), "--layers", "lulc"]) == 0
    assert len(list((tmp_path / "tif" / "lulc").iterdir())) == len(undisturbed.digests)
    assert f"{home}/report.html" in capsys.readouterr().out
    before = objects.version(home / "journal.sqlite")
    assert main(["build-multisource", "--config", str(recipe)]) == 0
    assert {name: content for name, content in all_objects(home).items() if name in undisturbed.files} == {
        name: content for name, content in found.items() if name in undisturbed.files
    }
    assert before is not None
    again = tiny.settings(tmp_path, out=str(tmp_path / "again"), granules=str(home))
    assert rsprep.build(again).failures == 0


def test_five_outages_at_random_places_change_nothing(
    s3: str, tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From some write on none arrives: to the bucket that is what kill -9 is, and to the build a bucket that fails."""
    home, rng = out("outages"), random.Random(3)
    settings = tiny.settings(tmp_path, out=str(home))
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.0)  # nobody lives who could renew what is left behind
    monkeypatch.setattr(desk_module, "PUSH_SECONDS", 0.0)
    ended = 0
    while ended < 5:
        with outage(after=rng.randrange(3, 60)):
            try:
                rsprep.build(settings)
                break
            except BuildError as error:
                assert error.name == "build/bucket-failed"  # noqa: PT017  # or it has come to its end
                ended += 1
        if objects.exists(home / "journal.sqlite"):
            with at_desk(home) as desk, JournalView.open(desk.folder) as journal:
                assert journal.counts().balanced or not journal.is_planned
    assert ended >= 3
    assert rsprep.build(settings).failures == 0
    check_equal(home, undisturbed)


def test_killed_it_is_resumed_at_once_on_the_same_machine(
    s3: str, tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    home = out("killed")
    with running_build(tiny.recipe(tmp_path, out=str(home))) as build:
        assert build.wait_until(lambda: objects.exists(home / "chips.zarr/terrain/c/1/0/0/0"))
        build.process.kill()
        assert build.process.wait() != 0
    assert b'"holder": null' not in (objects.as_bytes(home / lease.FILE_NAME) or b"")
    assert rsprep.build(tiny.settings(tmp_path, out=str(home))).failures == 0
    check_equal(home, undisturbed)


def test_ctrl_c_pushes_what_is_done(s3: str, tiny: TinySource, tmp_path: Path) -> None:
    home = out("stopped")

    def begun(build: Build) -> bool:
        # two workers are at the seventh of twelve shards: the first ones have been heard of
        return build.stage == "build" and objects.exists(home / "chips.zarr/terrain/c/6/0/0/0")

    with running_build(tiny.recipe(tmp_path, out=str(home))) as build:
        assert build.wait_until(lambda: begun(build))
        os.killpg(build.process.pid, signal.SIGINT)
        assert build.process.wait(60) == 130
    with at_desk(home) as desk, JournalView.open(desk.folder) as journal:
        counts = journal.counts()
    assert counts.balanced
    assert counts.committed
    assert counts.pending
    assert objects.read(home / lease.FILE_NAME) == (b'{"holder": null}', objects.version(home / lease.FILE_NAME))


@pytest.fixture
def identity(tiny: TinySource, tmp_path: Path) -> dict[str, Any]:
    return build_identity(make_config(tiny.settings(tmp_path)))


def test_a_second_build_at_the_same_time_is_refused(
    s3: str, tiny: TinySource, identity: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = out("twice")
    with at_desk(home) as desk, Journal.resume(desk, identity):
        recipe = tiny.recipe(tmp_path, out=str(home))
        assert main(["build-multisource", "--config", str(recipe)]) == 2
    assert f"store/locked another build is writing this data set (process {os.getpid()} on" in capsys.readouterr().err


def test_a_build_that_is_taken_over_can_write_nothing_more(
    s3: str, identity: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen for too long, it wakes up beside its successor: its journal is refused, and it says so."""
    home = out("taken")
    with at_desk(home) as first, at_desk(home) as second:
        old = Journal.resume(first, identity)
        monkeypatch.setattr(lease, "STALE_SECONDS", 0.0)
        with pytest.raises(StoreError, match="store/locked: another build has written this data set meanwhile"):
            Journal.resume(second, identity)
        with at_desk(home) as third, Journal.resume(third, identity) as new:
            with pytest.raises(BuildError, match="build/lease-lost"):
                old.set_meta("who", "old")
            new.set_meta("who", "new")
            with pytest.raises(BuildError, match="build/lease-lost"):
                old.close()
    with at_desk(home) as desk, JournalView.open(desk.folder) as journal:
        assert journal.meta("who") == "new"


def test_who_finds_the_lease_gone_at_a_beat_says_so(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)
    home = out("beats")
    held = Lease(home)
    before = objects.version(home / lease.FILE_NAME)
    time.sleep(0.2)
    assert objects.version(home / lease.FILE_NAME) != before
    held.require()
    objects.write(home / lease.FILE_NAME, b'{"holder": "another"}')
    time.sleep(0.2)
    with pytest.raises(BuildError, match="build/lease-lost"):
        held.require()
    held.release()
    assert objects.read(home / lease.FILE_NAME) is not None
    with pytest.raises(StoreError, match="store/locked"):
        Lease(home)
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.0)
    Lease(home).release()


def test_the_journal_there_never_calls_done_what_is_made_again(
    s3: str, tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Taken back chips are told at once, made ones when it is time."""
    home = out("order")
    assert rsprep.build(tiny.settings(tmp_path, out=str(home))).failures == 0
    with at_desk(home) as desk, JournalView.open(desk.folder) as view:
        identity = view.meta("identity")
    with at_desk(home) as desk, Journal.resume(desk, identity) as journal:
        journal._db.execute("UPDATE chips SET state = 'quarantined' WHERE slot = (SELECT min(slot) FROM chips)")
        assert journal.retry_failed() == 1
        with at_desk(home) as other, JournalView.open(other.folder) as view:
            assert view.counts().shards_pending == 1
    assert rsprep.build(tiny.settings(tmp_path, out=str(home))).failures == 0


def test_folders_of_others_are_left_alone(
    s3: str, tiny: TinySource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects.write(out("others") / "thesis.txt", b"mine")
    recipe = tiny.recipe(tmp_path, out=str(out("others")))
    assert main(["build-multisource", "--config", str(recipe)]) == 2
    assert "store/not-empty" in capsys.readouterr().err
    recipe = tiny.recipe(tmp_path, catalog="s3://bucket/catalog")
    assert main(["build-multisource", "--config", str(recipe)]) == 2
    assert "config/not-local --catalog takes a folder" in capsys.readouterr().err


def test_what_is_not_there_says_so(s3: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StoreError, match="store/not-found"):
        rsprep.open("s3://bucket/nothing")
    for command in ("verify", "inspect", "report"):
        assert main([command, "s3://bucket/nothing"]) == 2
    assert main(["verify", "s3://no-such-bucket/chips"]) == 1
    assert "build/bucket-failed" in capsys.readouterr().err
