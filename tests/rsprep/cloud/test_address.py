"""What is typed as the place of a data set, and what it means."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from rsprep.cloud import objects
from rsprep.cloud.address import Address, absolute, folder_only, place
from rsprep.cloud.mirror import Mirror
from rsprep.cloud.objects import ChangedError, client
from rsprep.cloud.zarrs import BucketStore
from rsprep.errors import BuildError, ConfigError


def test_folders_stay_folders() -> None:
    for given in ("chips", "/data/chips", "../a:b", Path("x")):
        assert place(given) == Path(given)
    assert folder_only("chips", "--catalog") == Path("chips")
    assert absolute("chips") == Path.cwd() / "chips"


def test_an_address_has_parts() -> None:
    found = place("s3://bucket/deep/my chips/")
    assert found == Address("s3", "bucket", "deep/my chips")
    assert str(found / "a.json") == "s3://bucket/deep/my chips/a.json"
    assert (found.name, str(found.parent)) == ("my chips", "s3://bucket/deep")
    assert place(str(found)) == found == absolute(found)


@pytest.mark.parametrize(
    "given",
    [
        "s3://key:SECRET@bucket/chips", "s3://bucket/chips?token=SECRET", "s3://bucket", "s3://bucket/", "s3:///chips",
        "https://host/chips", "file:///data/chips", "S3://bucket/chips", "s3://bucket/a//b", "s3://bucket/../b",
        "s3://bucket/a%2Fb", "s3://Bucket_/x", "s3://bucket/a\nb", "az://a b/c",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="config/bad-address") as refused:
        place(given)
    assert "SECRET" not in str(refused.value)


def test_a_bucket_is_no_folder() -> None:
    with pytest.raises(ConfigError, match="config/not-local: --catalog takes a folder, not a bucket"):
        folder_only("s3://bucket/catalog", "--catalog")


@pytest.mark.parametrize(("scheme", "kind"), [("s3", S3Store), ("gs", GCSStore), ("az", AzureStore)])
def test_three_kinds_of_stores(scheme: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    client.cache_clear()
    store = client(Address(scheme, "bucket", "deep/chips"))
    assert type(store) is kind
    assert store.prefix == "deep/chips"


def test_what_the_environment_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    client.cache_clear()
    with pytest.raises(ConfigError, match="config/bad-cloud-settings"):
        client(Address("az", "container", "chips"))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    client.cache_clear()
    with pytest.raises(ConfigError, match=r"config/no-cloud-extra(.|\n)*pip install"):
        client(Address("s3", "bucket", "chips"))


def test_a_store_travels_without_credentials(s3: str) -> None:
    store = BucketStore(Address("s3", "bucket", "travels"))
    packed = pickle.dumps(store)
    assert b"canary" not in packed
    assert pickle.loads(packed) == store  # noqa: S301  # our own bytes


# -- one object, and versions of it -----------------------------------------------------------------------


@pytest.fixture(params=["s3", "memory"])
def at(request: pytest.FixtureRequest, s3: str, monkeypatch: pytest.MonkeyPatch) -> Address:
    """A place for objects; what other kinds of stores promise, a store in memory does, too."""
    if request.param == "memory":
        store = MemoryStore()
        monkeypatch.setattr(objects, "client", lambda address: store)
    return Address("s3", "bucket", f"objects/{request.param}")


def test_a_write_holds_only_over_what_was_seen(at: Address) -> None:
    file = at / "one"
    assert objects.read(file) is None
    first = objects.write_if(file, b"first", None)
    with pytest.raises(ChangedError):
        objects.write_if(file, b"other", None)
    second = objects.write_if(file, b"second", first)
    with pytest.raises(ChangedError):
        objects.write_if(file, b"other", first)
    assert objects.read(file) == (b"second", second)
    objects.delete(file)
    objects.delete(file)
    with pytest.raises(ChangedError):
        objects.write_if(file, b"other", second)
    assert not objects.exists(file)


def test_a_write_whose_answer_was_lost_is_known_by_its_content(at: Address) -> None:
    """The repeated request meets what the first one wrote."""
    file = at / "lost"
    objects.write(file, b"ours")
    assert objects.write_if(file, b"ours", None) == objects.version(file)


def test_a_mirror_brings_what_changed_and_takes_away_what_is_gone(at: Address, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "samples").mkdir(parents=True)
    (here / "chips.zarr").mkdir()
    there.mkdir()
    for name in ("a.txt", "samples/b.png", "journal", ".hidden", "c.partial", "chips.zarr/zarr.json"):
        (here / name).write_text(name)
    one = Mirror(here, at / "mirrored", apart=("chips.zarr",), guarded="journal")
    two = Mirror(there, at / "mirrored", apart=("chips.zarr",), guarded="journal")
    one.push()
    two.pull()
    assert {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()} == {
        "a.txt", "samples/b.png", "journal",
    }  # fmt: skip
    (here / "a.txt").unlink()
    (here / "journal").write_text("grown")
    one.push()
    assert not objects.exists(at / "mirrored/a.txt")
    assert not two.is_current()
    (there / "journal").write_text("otherwise")
    with pytest.raises(BuildError, match="build/lease-lost"):
        two.push()
    assert objects.as_bytes(at / "mirrored/journal") == b"grown"
