"""Inputs made to harm: each ends in a named error, opens nothing outside, calls nobody off the list, stays small."""

from __future__ import annotations

import ast
import gzip
import json
import os
import shutil
import socket
import sqlite3
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr
from odc.geo.geobox import GeoBox

from rsprep.corpus.pictures import picture_size, read_picture
from rsprep.errors import RsprepError
from rsprep.granule import Asset
from rsprep.ground.aoi import read_aoi
from rsprep.job.journal_view import JournalView
from rsprep.reading.access import ReadPolicy
from rsprep.reading.control import ControlCache
from rsprep.reading.files import FileAccess
from rsprep.reading.reach import Reach, reach
from rsprep.reading.spec import BandSpec
from rsprep.sources.definition import load_definition
from rsprep.sources.signing import TokenCache, TokenSigner
from rsprep.sources.stac import StacSource
from rsprep.store.export import export
from rsprep.store.read import open_dataset
from tests.rsprep.hostile.watching import Trap, watching
from tests.rsprep.sources.making import S2, VERSION, make_collection, make_definition, make_item, write_catalog
from tests.rsprep.sources.searched import AREA
from tests.rsprep.store.fixtures import build_small

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify and /proc tell what happened")
PEAK_BYTES = 300 * 2**20
"""Most memory that any of these inputs may take, beyond what was in use."""
GRID = GeoBox.from_bbox((500000, 5320000, 500640, 5320640), "EPSG:32633", shape=(64, 64))
SPEC = BandSpec(dtype="uint16", nodata=0)
ONCE = ReadPolicy(attempts=1, patience=0, timeout_s=5.0, sleep=lambda seconds: None)


@dataclass
class Den:
    """Where a case plays: a folder of its own, a server that is on the list, and what must not be touched."""

    home: Path
    trap: Trap
    url: str
    answers: dict[str, tuple[int, dict[str, str], bytes]]
    asked: list[str]
    sealed: Path
    """A data set to copy."""

    @property
    def secret(self) -> Path:
        return self.trap.folder / "secret.tif"

    @property
    def elsewhere(self) -> str:
        """An address that is not on the list, and answers."""
        return f"http://127.0.0.2:{self.trap.port}"

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        self.answers[path] = (status, {key.replace("_", "-"): value for key, value in headers.items()}, body)
        return self.url + path


Case = Callable[[Den], object]
CASES: dict[str, tuple[str, Case]] = {}


def case(name: str) -> Callable[[Case], Case]:
    """A hostile input and the name of the error that it ends in."""

    def note(play: Case) -> Case:
        CASES[play.__name__.replace("_", " ")] = (name, play)
        return play

    return note


def cases(name: str, values: dict[str, Any], play: Callable[[Den, Any], object]) -> None:
    for title, value in values.items():
        CASES[title] = (name, lambda den, value=value: play(den, value))


@pytest.fixture(scope="module")
def den_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Den]:
    outside = tmp_path_factory.mktemp("outside")
    raster(outside / "secret.tif")
    (outside / "secret.json").write_text(json.dumps(make_item("secret")))
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            asked.append(self.path)
            status, headers, body = answers.get(self.path.partition("?")[0], (404, {}, b""))
            self.send_response(status)
            for key, value in {"content-length": str(len(body)), "connection": "close", **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - names that the base class looks for

        def log_message(self, *_: Any) -> None:
            """Keep the output of the tests readable."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    with Trap(outside) as trap:
        sealed = tmp_path_factory.mktemp("sealed")
        build_small(sealed, n_shards=1)
        yield Den(outside, trap, f"http://127.0.0.1:{server.server_address[1]}", answers, asked, sealed)
    server.shutdown()
    server.server_close()


@pytest.fixture
def den(den_of_all: Den, tmp_path: Path) -> Den:
    den_of_all.home = tmp_path
    den_of_all.answers.clear()
    den_of_all.asked.clear()
    den_of_all.trap.touched()
    den_of_all.trap.calls = 0
    return den_of_all


# -- how they are read ----------------------------------------------------------------------------


def raster(path: Path, **changes: Any) -> Path:
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint16", "nodata": 0, **changes}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=GRID.transform, **profile) as file:
        if profile["width"] == 64:
            file.write(np.ones((profile["count"], 64, 64), profile["dtype"]))
    return path


def read(href: str, within: Reach, policy: ReadPolicy = ONCE, **declared: Any) -> object:
    access = FileAccess(None, policy, within)
    return access.window(Asset(href=href, **declared), SPEC, ControlCache(GRID))


def find(den: Den, href: str, **changes: Any) -> object:
    """Search a catalog on disk whose one item has its red band at `href`."""
    assets = {"red": {"href": href}, "scl": {"href": "./SCL.tif"}}
    catalog = write_catalog(den.home / "catalog", [make_item("a", assets=assets)])
    return StacSource(make_definition(**{"folders": [], **changes}), str(catalog)).find("sentinel2", AREA)


def search(den: Den, page: dict[str, Any], **changes: Any) -> object:
    """Search an API that answers with `page`."""
    links = [{"rel": "search", "href": f"{den.url}/search", "method": "POST"}]
    root = {"type": "Catalog", **VERSION, "id": "api", "description": "", "conformsTo": [], "links": links}
    den.serve("/", json.dumps(root).encode())
    den.serve(f"/collections/{S2}", json.dumps(make_collection(S2)).encode())
    den.serve("/search", json.dumps({"type": "FeatureCollection", "links": [], **page}).encode())
    return StacSource(make_definition(**{"folders": [], **changes}), f"{den.url}/").find("sentinel2", AREA)


# -- where hrefs lead -----------------------------------------------------------------------------

cases(
    "catalog/outside-root",
    {
        "an absolute path": "/etc/passwd",
        "a path that climbs": "../../../../../../../../etc/passwd",
        "a file address": "file:///etc/passwd",
        "a file address, escaped": "file:///%65tc/passwd",
        "memory of the process": "/proc/self/environ",
    },
    lambda den, href: find(den, href),
)
cases(
    "catalog/host-off-list",
    {
        "a host off the list": "https://evil.example/a.tif",
        "the metadata of a machine in a cloud": "http://169.254.169.254/latest/meta-data/iam/",
        "the loopback": "http://127.0.0.1:8080/admin",
        "the loopback, as one number": "http://2130706433/a.tif",
        "the loopback, in version 6": "https://[::1]/a.tif",
        "a name that begins like one on the list": "https://good.example.evil.example/a.tif",
        "a name that ends like one on the list": "https://evilgood.example/a.tif",
    },
    lambda den, href: find(den, href, hosts=["good.example"]),
)
cases(
    "catalog/odd-address",
    {
        "a name before the host": "https://good.example@evil.example/a.tif",
        "a backslash after the host": "https://evil.example\\@good.example/a.tif",
        "a line feed in an address": "https://good.example\r\nHost: evil.example/a.tif",
        "letters that look alike": "https://g\u043e\u043ed.example/a.tif",
        "no host": "https:///a.tif",
        "a path through GDAL": "/vsicurl/http://127.0.0.2/a.tif",
        "a path into an archive": "/vsizip//etc/a.zip/b.tif",
        "a part of a file": "/vsisubfile/0_100,/etc/passwd",
    },
    lambda den, href: find(den, href, hosts=["good.example"]),
)
cases(
    "catalog/private-address",
    {
        "metadata, though on the list": "http://169.254.169.254/latest/",
        "a private network, though on the list": "https://10.0.0.7/a.tif",
        "the loopback within version 6, though on the list": "https://[::ffff:127.0.0.1]/a.tif",
    },
    lambda den, href: reach([], hosts=["169.254.169.254", "10.0.0.7", "::ffff:127.0.0.1"], allow_http=True).check(href),
)


@case("catalog/plain-http")
def http_to_a_host_of_the_list(den: Den) -> object:
    return find(den, "http://good.example/a.tif", hosts=["good.example"])


@case("item/unreadable-href")
def a_scheme_nobody_reads(den: Den) -> object:
    return find(den, "gopher://good.example/a.tif", hosts=["good.example"])


@case("catalog/outside-root")
def a_link_out_of_the_catalog(den: Den) -> object:
    (den.home / "catalog").mkdir()
    (den.home / "catalog" / "link.tif").symlink_to(den.secret)
    return find(den, str(den.home / "catalog" / "link.tif"))


@case("catalog/outside-root")
def a_folder_that_is_a_link(den: Den) -> object:
    (den.home / "catalog").mkdir()
    (den.home / "catalog" / "inside").symlink_to(den.trap.folder)
    return find(den, "../../inside/secret.tif")


@case("catalog/outside-root")
def an_item_outside(den: Den) -> object:
    catalog = write_catalog(den.home / "catalog", [make_item("a")])
    collection = den.home / "catalog" / S2 / "collection.json"
    document = json.loads(collection.read_text())
    document["links"] = [{"rel": "item", "href": str(den.trap.folder / "secret.json")}]
    collection.write_text(json.dumps(document))
    return StacSource(make_definition(folders=[]), str(catalog)).find("sentinel2", AREA)


@case("catalog/outside-root")
def a_server_that_names_a_file_of_ours(den: Den) -> object:
    item = make_item("a", assets={"red": {"href": str(den.secret)}, "scl": {"href": f"{den.url}/scl.tif"}})
    return search(den, {"features": [item]})


@case("catalog/host-off-list")
def a_next_page_elsewhere(den: Den) -> object:
    return search(den, {"features": [make_item("a")], "links": [{"rel": "next", "href": f"{den.elsewhere}/search"}]})


@case("catalog/bad-next-link")
def a_next_page_that_deletes(den: Den) -> object:
    following = {"rel": "next", "href": f"{den.url}/collections", "method": "DELETE"}
    return search(den, {"features": [make_item("a")], "links": [following]})


@case("catalog/host-off-list")
def a_search_that_is_sent_on(den: Den) -> object:
    den.serve("/", b"", 302, location=f"{den.elsewhere}/catalog.json")
    return StacSource(make_definition(), f"{den.url}/").find("sentinel2", AREA)


@case("read/off-limits")
def a_raster_that_is_sent_on(den: Den) -> object:
    return read(den.serve("/a.tif", b"", 302, location=f"{den.elsewhere}/a.tif"), reach([den.url]))


@case("read/off-limits")
def a_raster_that_is_sent_to_metadata(den: Den) -> object:
    return read(den.serve("/a.tif", b"", 307, location="http://169.254.169.254/latest/"), reach([den.url]))


@case("read/off-limits")
def a_signed_raster_that_is_sent_on(den: Den) -> object:
    """The token stays behind."""
    token = {"token": "sig=CANARY", "msft:expiry": "2999-01-01T00:00:00Z"}
    den.serve("/token/127.0.0.1/box", json.dumps(token).encode())
    den.serve("/box/a.tif", b"", 302, location=f"{den.elsewhere}/a.tif")
    tokens = make_definition(signing={"service": f"{den.url}/token", "hosts": ["127.0.0.1"]}).signing
    assert tokens is not None
    signer = TokenSigner(tokens, cache=TokenCache())
    access = FileAccess(signer, ONCE, reach([den.url]))
    return access.window(Asset(href=f"{den.url}/box/a.tif"), SPEC, ControlCache(GRID))


@case("catalog/host-off-list")
def a_token_service_that_is_sent_on(den: Den) -> object:
    den.serve("/token/127.0.0.1/box", b"", 302, location=f"{den.elsewhere}/token")
    tokens = make_definition(signing={"service": f"{den.url}/token", "hosts": ["127.0.0.1"]}).signing
    assert tokens is not None
    return TokenSigner(tokens, cache=TokenCache()).sign(f"{den.url}/box/a.tif")


@case("read/unreachable")
def redirects_without_end(den: Den) -> object:
    return read(den.serve("/a.tif", b"", 302, location="/a.tif"), reach([den.url]))


@case("read/off-limits")
def a_frozen_href_off_the_list(den: Den) -> object:
    """As a journal from a stranger has it: nothing is searched, only read."""
    return read("https://evil.example/a.tif", reach([den.url]))


@case("read/off-limits")
def a_frozen_path_outside(den: Den) -> object:
    return read(str(den.secret), reach([str(den.home)]))


# -- what rasters claim ---------------------------------------------------------------------------


def local(den: Den, path: Path) -> object:
    return read(str(path), reach([str(den.home)]))


def spoilt(path: Path, tags: dict[int, int]) -> Path:
    """A little-endian classic TIFF whose tags say something else."""
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        if tag in tags:
            struct.pack_into("<HII", data, entry + 2, 4, 1, tags[tag])
    path.write_bytes(data)
    return path


@case("raster/too-large")
def a_raster_of_a_million_by_a_million(den: Den) -> object:
    huge = {"width": 10**6, "height": 10**6, "tiled": True, "blockxsize": 4096, "blockysize": 4096}
    return local(den, raster(den.home / "a.tif", sparse_ok=True, compress="deflate", BIGTIFF="YES", **huge))


@case("raster/block-too-large")
def a_block_that_is_a_bomb(den: Den) -> object:
    return local(den, spoilt(raster(den.home / "a.tif", compress="deflate"), {256: 200_000, 257: 10_000, 278: 10_000}))


@case("read/undecodable")
def a_raster_that_claims_blocks_it_has_not(den: Den) -> object:
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    return local(den, spoilt(raster(den.home / "a.tif", **tiles), {256: 300_000, 257: 300_000, 322: 16, 323: 16}))


@case("raster/too-many-bands")
def more_bands_than_there_is_light(den: Den) -> object:
    return local(den, spoilt(raster(den.home / "a.tif", compress="deflate"), {277: 60_000}))


@case("read/undecodable")
def a_virtual_raster(den: Den) -> object:
    text = "<VRTDataset rasterXSize='64' rasterYSize='64'><VRTRasterBand dataType='UInt16' band='1'><SimpleSource>"
    text += f"<SourceFilename>{den.secret}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
    (den.home / "a.tif").write_text(text + "</VRTDataset>")
    return local(den, den.home / "a.tif")


@case("read/undecodable")
def a_virtual_raster_from_a_server(den: Den) -> object:
    text = f"<VRTDataset rasterXSize='1' rasterYSize='1'><!-- {den.elsewhere}/a.tif --></VRTDataset>".encode()
    return read(den.serve("/virtual.tif", text), reach([den.url]))


@case("read/absent")
def a_pipe_in_place_of_a_raster(den: Den) -> object:
    os.mkfifo(den.home / "a.tif")
    return local(den, den.home / "a.tif")


@case("read/unreachable")
def a_server_that_sends_without_end(den: Den) -> object:
    return read(den.serve("/endless.tif", b"x" * 10, content_length=str(10**15)), reach([den.url]))


# -- documents ------------------------------------------------------------------------------------


def document(den: Den, body: bytes, **headers: str) -> object:
    return StacSource(make_definition(), den.serve("/catalog.json", body, **headers)).find("sentinel2", AREA)


def squeezed(pieces: int) -> bytes:
    """So many times 16 MiB of blanks, in 16 kB each."""
    return gzip.compress(b" " * 2**24) * pieces


@case("catalog/answer-too-large")
def an_answer_that_is_a_bomb(den: Den) -> object:
    return document(den, squeezed(64), content_encoding="gzip")


@case("catalog/not-json")
def json_nested_without_end(den: Den) -> object:
    return document(den, b"[" * 1_000_000)


@case("catalog/not-json")
def json_of_empty_objects(den: Den) -> object:
    return document(den, b"[" + b"{}," * 8_000_000 + b"{}]")


@case("catalog/unreadable")
def a_document_that_is_a_device(den: Den) -> object:
    return StacSource(make_definition(folders=["/dev"]), "/dev/zero").find("sentinel2", AREA)


@case("catalog/unreadable")
def a_document_without_end(den: Den) -> object:
    with (den.home / "catalog.json").open("wb") as file:
        file.truncate(2**40)
    return StacSource(make_definition(), str(den.home / "catalog.json")).find("sentinel2", AREA)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(12)
)
cases(
    "catalog/definition-not-yaml",
    {
        "a program in YAML": "name: !!python/object/apply:os.system ['touch /tmp/owned']",
        "a billion laughs": LAUGHS,
        "a billion laughs merged": LAUGHS.replace("[x, x, x, x, x, x, x, x, x, x]", "{k: v}"),
        "a list within itself": "name: &a [*a]",
        "YAML nested without end": "[" * 3_000,
        "a number of many digits": "name: " + "9" * 50_000,
    },
    lambda den, text: load_definition(written(den.home / "d.yaml", text)),
)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@case("catalog/definition-too-large")
def a_definition_of_a_terabyte(den: Den) -> object:
    with (den.home / "d.yaml").open("wb") as file:
        file.truncate(2**40)
    return load_definition(den.home / "d.yaml")


@case("aoi/not-json")
def an_outline_nested_without_end(den: Den) -> object:
    text = '{"type": "GeometryCollection", "geometries": [' * 50_000
    return read_aoi(str(written(den.home / "a.geojson", text)))


@case("aoi/too-detailed")
def an_outline_of_ten_million_positions(den: Den) -> object:
    return read_aoi(str(written(den.home / "a.geojson", '{"type": "Polygon", "coordinates": [[' + "[]," * 10_000_000)))


@case("aoi/not-geopackage")
def a_virtual_layer_named_geopackage(den: Den) -> object:
    text = f"<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>{den.secret}</SrcDataSource></OGRVRTLayer>"
    return read_aoi(str(written(den.home / "a.gpkg", text + "</OGRVRTDataSource>")))


@case("input/picture-too-large")
def a_picture_that_is_a_bomb(den: Den) -> object:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )
    (den.home / "a.png").write_bytes(data)
    return read_picture(picture_size(den.home / "a.png").path)


# -- data sets and journals -----------------------------------------------------------------------


def dataset_with(den: Den, change: Callable[[dict[str, Any]], object], *, deep: bool = True) -> Path:
    """A sealed data set, some of whose metadata say something else; `deep`: those of arrays."""
    shutil.copytree(den.sealed, den.home / "chips")
    for file in sorted((den.home / "chips" / "chips.zarr").rglob("zarr.json")):
        document = json.loads(file.read_text())
        copies = (document.get("consolidated_metadata") or {}).get("metadata", {})
        for one in [document, *copies.values()]:
            if (one["node_type"] == "array") == deep:
                change(one)
        file.write_text(json.dumps(document))
    return den.home / "chips"


@case("store/codec-off-list")
def a_store_packed_with_a_codec_nobody_knows(den: Den) -> object:
    codec = {"name": "numcodecs.pickle", "configuration": {}}
    return open_dataset(dataset_with(den, lambda array: array["codecs"].append(codec)))


@case("store/codec-off-list")
def a_codec_hidden_in_a_shard(den: Den) -> object:
    def change(array: dict[str, Any]) -> None:
        for codec in array["codecs"]:
            if codec["name"] == "sharding_indexed":
                codec["configuration"]["codecs"].append({"name": "numcodecs.zlib", "configuration": {}})

    return open_dataset(dataset_with(den, change))


@case("store/chunk-too-large")
def chunks_of_a_terabyte(den: Den) -> object:
    def change(array: dict[str, Any]) -> None:
        shape = [10**6] * len(array["shape"])
        array["shape"] = array["chunk_grid"]["configuration"]["chunk_shape"] = shape
        array["codecs"] = [{"name": "bytes"}]

    return open_dataset(dataset_with(den, change))


@case("store/not-a-store")
def a_store_of_the_format_that_unpickles(den: Den) -> object:
    group = zarr.open_group(den.home / "chips.zarr", mode="w", zarr_format=2)
    group.attrs["rsprep_schema"] = {"version": 1}
    return open_dataset(den.home / "chips.zarr")


@case("store/bad-metadata")
def metadata_nested_without_end(den: Den) -> object:
    dataset = dataset_with(den, lambda group: None, deep=False)
    (dataset / "chips.zarr" / "zarr.json").write_text("[" * 1_000_000)
    return open_dataset(dataset)


@case("store/odd-name")
def a_layer_whose_name_leads_elsewhere(den: Den) -> object:
    def change(group: dict[str, Any]) -> None:
        group["attributes"]["rsprep_schema"]["variables"][0]["name"] = "../../outside"

    return open_dataset(dataset_with(den, change, deep=False))


@case("store/odd-name")
def a_chip_whose_name_leads_elsewhere(den: Den) -> object:
    dataset = dataset_with(den, lambda group: None)
    names = zarr.open_array(dataset / "chips.zarr" / "chip_id", mode="r+")
    names[:] = np.array([f"../../../owned{number}" for number in range(names.shape[0])], dtype=object)
    return export(dataset, den.home / "out", layers=["lulc"])


def journal_with(den: Den, script: str) -> object:
    with sqlite3.connect(den.home / "journal.sqlite") as database:
        database.executescript(script)
    database.close()
    with JournalView.open(den.home) as view:
        return view.counts()


FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS slot, 'x' AS state FROM n"
cases(
    "store/not-a-journal",
    {
        "a journal that counts for ever": f"CREATE VIEW chips AS {FOREVER};",
        "a journal with a trigger": "CREATE TABLE chips (slot);"
        "CREATE TRIGGER t AFTER INSERT ON chips BEGIN SELECT 1; END;",
    },
    journal_with,
)


# -- the suite ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("title", CASES, ids=lambda title: title.replace(" ", "-"))
def test_it_is_stopped(den: Den, title: str) -> None:
    wanted, play = CASES[title]
    with watching() as watch, pytest.raises(RsprepError) as caught:
        play(den)
    assert caught.value.name == wanted, str(caught.value)
    assert caught.value.remedy
    assert "CANARY" not in str(caught.value)
    assert den.trap.touched() == []
    assert den.trap.calls == 0
    assert {host for host, _ in watch.reached} <= {"127.0.0.1"}
    assert not any(path.startswith(("/etc/passwd", "/proc/self/environ")) for path in watch.opened)
    assert watch.peak_bytes < PEAK_BYTES
    assert not list(den.home.parent.glob("owned*"))


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


def test_names_are_judged_by_the_address_they_stand_for(den: Den, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name on the list that its owner points to this machine: at once, or once it has been looked at."""
    real, port = socket.getaddrinfo, int(den.url.rpartition(":")[2])
    answers = ["127.0.0.1"]

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        place = answers.pop(0) if host == "good.example" and answers else "127.0.0.1"
        return real(place if host == "good.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    den.serve("/a.tif", b"secret")
    strict = reach([], hosts=["good.example"], allow_http=True)
    with watching() as watch, pytest.raises(RsprepError, match=r"read/off-limits.*on this machine"):
        read(f"http://good.example:{port}/a.tif", strict)
    assert watch.reached == []
    source = StacSource(make_definition(hosts=["good.example"], allow_http=True), f"http://good.example:{port}/")
    with watching() as watch, pytest.raises(RsprepError, match="catalog/private-address"):
        source.find("sentinel2", AREA)
    assert watch.reached == []
    assert den.asked == []
    answers[:] = []
    meant = reach([], hosts=["good.example"], allow_http=True, allow_private=True)
    with pytest.raises(RsprepError, match="read/"):
        read(f"http://good.example:{port}/a.tif", meant)
    assert den.asked[0] == "/a.tif"


def test_what_is_meant_goes_through(den: Den) -> None:
    """The same doors, for those who have the key: folders, links within, redirects among hosts of the list."""
    path = raster(den.home / "a.tif", tiled=True, blockxsize=64, blockysize=64)
    (den.home / "b.tif").symlink_to(path)
    assert read(str(den.home / "b.tif"), reach([str(den.home / "catalog.json")])) is not None
    assert read(str(den.secret), reach([str(den.home)], folders=[str(den.trap.folder)])) is not None
    body = path.read_bytes()
    den.serve("/moved.tif", b"", 302, location="/now.tif")
    den.serve("/now.tif", body)
    assert read(f"{den.url}/moved.tif", reach([den.url])) is not None
    assert find(den, "https://good.example/a.tif", hosts=["*.example"])
    assert find(den, "https://10.0.0.7/a.tif", hosts=["10.0.0.7"], allow_private=True)


SENT = "shard.py"
"""How a task is sent to its worker: packed by one process of a build, unpacked by another."""
PICKLES = ("pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")


def test_nothing_is_unpickled() -> None:
    """By us: no module of either package imports what runs what it reads, and torch is asked for no file."""
    from tests.support import REPOSITORY

    for path in [path for package in ("rsprep", "rsmodels") for path in (REPOSITORY / package).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
                assert path.name == SENT or not any(name.split(".")[0] in PICKLES for name in names), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load":
                assert not (isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"), path
