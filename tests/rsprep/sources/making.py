"""Small STAC catalogs made for a test, and a loopback server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rsprep.sources.definition import SourceDefinition

VERSION = {"stac_version": "1.1.0"}
S2 = "sentinel-2-l2a"


def make_definition(**changes: Any) -> SourceDefinition:
    """A source with B04 and SCL, S1, land cover and a DEM; `changes` replace top-level keys."""
    content: dict[str, Any] = {
        "name": "made",
        "title": "Made for a test",
        "licence": "none",
        "folders": ["/"],  # hrefs of files that need not be there; what may be reached has tests of its own
        "products": {
            "sentinel2": {
                "collection": S2,
                "assets": {"B04": "red"},
                "scl": "scl",
                "dtype": "uint16",
                "nodata": 0,
                "tile": "s2:mgrs_tile",
                "baseline": "s2:processing_baseline",
                "offset_applied": "flag",
            },
            "sentinel1": {
                "collection": "s1",
                "assets": {"VV": "vv"},
                "units": "power",
                "calibration": "gamma0",
                "dtype": "float32",
                "nodata": 0,
            },
            "dem": {
                "collection": "dem",
                "dtype": "float32",
                "nodata": None,
                "absent": {"rule": "tile-list", "href": "dem/tileList.txt"},
                "surface": "DSM",
                "vertical_datum": "EGM2008",
            },
        },
        **changes,
    }
    return SourceDefinition.model_validate(content)


def box_geometry(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def make_item(name: str, bounds: tuple[float, float, float, float] = (15.0, 48.0, 15.1, 48.1), **changes: Any) -> Any:
    """A Sentinel-2 item whose files carry no lattice; `changes` replace top-level keys, None removes one."""
    item: dict[str, Any] = {
        "type": "Feature",
        **VERSION,
        "id": name,
        "collection": S2,
        "geometry": box_geometry(*bounds),
        "bbox": list(bounds),
        "properties": {"datetime": "2021-06-01T10:00:00Z", "s2:processing_baseline": "03.01", "s2:mgrs_tile": "33UWP"},
        "assets": {"red": {"href": "./B04.tif"}, "scl": {"href": "./SCL.tif"}},
        "links": [],
        **changes,
    }
    return {key: value for key, value in item.items() if value is not None}


def with_properties(item: Any, **changes: Any) -> Any:
    """`item` with other properties; ``s2__x`` stands for ``s2:x``."""
    return {**item, "properties": {**item["properties"], **{k.replace("__", ":"): v for k, v in changes.items()}}}


def make_collection(name: str, links: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]}}
    common = {"description": name, "license": "other", "extent": extent, "links": list(links)}
    return {"type": "Collection", **VERSION, "id": name, **common}


def write_catalog(folder: Path, items: Sequence[Any], extra_collections: Sequence[str] = ()) -> Path:
    """A static catalog with the collections of `items`; each item lies in a folder of its own."""
    names = sorted({item.get("collection", S2) for item in items} | set(extra_collections))
    for name in names:
        links = []
        for number, item in enumerate(item for item in items if item.get("collection", S2) == name):
            place = folder / name / str(number) / "item.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(item))
            links.append({"rel": "item", "href": f"./{number}/item.json"})
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "collection.json").write_text(json.dumps(make_collection(name, links)))
    children = [{"rel": "child", "href": f"./{name}/collection.json"} for name in names]
    root = {"type": "Catalog", **VERSION, "id": "made", "description": "made", "links": children}
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder / "catalog.json"


@dataclass
class Server:
    """Answers each path from a list of (status, body), the last one for ever; records what was asked."""

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def tell(self, path: str, *answers: tuple[int, Any]) -> None:
        self.answers[path] = list(answers)

    def take(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        known = self.answers.get(path)
        if not known:
            return 404, b"not here"
        status, body = known.pop(0) if len(known) > 1 else known[0]
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


@contextmanager
def serving() -> Iterator[Server]:
    """A :class:`Server` on a free port of the loopback."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = server.take(self.path.split("?")[0])
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - names that the base class looks for

        def log_message(self, *args: Any) -> None:
            """Keep the output of the tests readable."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def serve_api(server: Server, pages: Sequence[Any], collections: Sequence[str] = (S2,)) -> None:
    """Make `server` an API whose search gives `pages` in turn; pages are linked as they are given."""
    links = [{"rel": "search", "href": f"{server.url}/search", "method": "POST"}]
    root = {"type": "Catalog", **VERSION, "id": "api", "description": "", "conformsTo": [], "links": links}
    server.tell("/", (200, root))
    server.tell("/collections", (200, {"collections": [make_collection(name) for name in collections]}))
    for name in collections:
        server.tell(f"/collections/{name}", (200, make_collection(name)))
    server.tell("/search", *[(200, page) for page in pages])


def make_page(server: Server, items: Sequence[Any], *, next_token: str | None = None, **extra: Any) -> dict[str, Any]:
    page: dict[str, Any] = {"type": "FeatureCollection", "features": list(items), "links": [], **extra}
    if next_token is not None:
        body = {"collections": [S2], "token": next_token}
        page["links"] = [{"rel": "next", "href": f"{server.url}/search", "method": "POST", "body": body}]
    return page
