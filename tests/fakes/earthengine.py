"""Earth Engine on 127.0.0.1: the REST interface that its client speaks, over a published planted world.

Discovery, algorithms, lists of images and ``computePixels`` answer as the service does, with its limits, and with
faults on demand. The client's own discovery document and list of algorithms are what it answers with.

``python -m tests.fakes.earthengine WORLD`` serves until its input ends, and prints its address first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import io
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from rsprep.sources.definition import SourceDefinition, load_definition
from tests.fakes.earthengine_assets import FakeImage, images_of
from tests.fakes.earthengine_graph import GraphError, evaluate

MOST_BYTES = 48 * 2**20
MOST_SIDE = 32 * 2**10
PUBLIC = "projects/earthengine-public/assets/"


@dataclass
class Faults:
    """What goes wrong on purpose; may be changed while the server runs. Only requests for pixels are hit."""

    latency_s: float = 0.0
    """Added to each answer."""
    too_many: float = 0.0
    """Share of requests that are answered with 429."""
    unavailable_once: bool = False
    """True: the first request for a tile is answered with 503."""
    stalls: int = 0
    """So many requests wait `stall_s` before they are answered."""
    stall_s: float = 20.0
    retry_after: str | None = None
    """Sent along with 429 and 503."""
    wrong: str | None = None
    """``shape``, ``dtype``, ``bands``, ``cut`` or ``html``: how the next answers differ from what was asked for."""
    deny: tuple[int, str] | None = None
    """Status and message of every answer, whatever is asked for."""
    gone: set[str] = field(default_factory=set)
    """Images that are listed, but no more there when their pixels are asked for."""


class EarthEngineServer:
    """Serves a published world.

    Parameters
    ----------
    world : folder of the published world.
    faults : see :class:`Faults`.
    concurrent : requests for pixels that are taken at a time; more are answered with 429.
    """

    def __init__(self, world: Path | str, faults: Faults | None = None, *, concurrent: int = 40) -> None:
        self.world = Path(world)
        self._published = images_of(self.world)
        self._concurrent = concurrent
        self.lock = threading.Lock()
        self.reset(faults)
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def reset(self, faults: Faults | None = None) -> None:
        """Forget what was asked for, and take other faults; requests that still run are waited for."""
        while getattr(self, "running", 0):
            time.sleep(0.01)
        self.faults = faults or Faults()
        self.images: dict[str, FakeImage] = dict(self._published)
        self.concurrent = self._concurrent
        self.running = 0
        self.most_at_once = 0
        """Requests for pixels that were answered at the same time."""
        self.begun: list[float] = []
        """When requests for pixels came in, in seconds."""
        self.answers: Counter[tuple[str, int]] = Counter()
        """(what was asked for, status) to how often."""
        self.projects: set[str] = set()
        self.expressions: list[dict[str, Any]] = []
        self.largest = 0
        """Bytes of the largest request for pixels."""
        self._random = random.Random(0)
        self._seen: set[str] = set()

    @property
    def url(self) -> str:
        """What a source takes as its endpoint."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def pixels_asked(self, status: int = 200) -> int:
        """Requests for pixels that were answered with `status`."""
        return self.answers["pixels", status]

    # -- what is asked for ----------------------------------------------------------------------

    def answer(self, method: str, address: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, media type and body of an answer."""
        parts = urlsplit(address)
        path, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self.faults.deny is not None:
            return _error(*self.faults.deny)
        if path == "/$discovery/rest":
            return 200, "application/json", _discovery()
        project = re.fullmatch(r"/v1/projects/([^/]+)/(algorithms|image:computePixels)", path)
        if project is not None:
            self.projects.add(project[1])
            if project[2] == "algorithms":
                return 200, "application/json", _algorithms()
            if method == "POST":
                return self._pixels(json.loads(body))
        listed = re.fullmatch(r"/v1/(projects/.+):listAssets", path)
        if listed is not None and method == "GET":
            return self._list(listed[1].removeprefix(PUBLIC), query)
        return _error(404, f"no such method: {method} {path}")

    def _list(self, collection: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        those = [image for name, image in sorted(self.images.items()) if image.collection == collection]
        if not those:
            return _error(404, f"Asset '{collection}' not found.")
        try:
            those = [image for image in those if matches(image, query.get("filter", ""))]
        except ValueError as error:
            return _error(400, f"Invalid filter: {error}")
        first, size = int(query.get("pageToken", "0")), min(int(query.get("pageSize", "1000")), 1000)
        page: dict[str, Any] = {}
        if those[first : first + size]:
            page["assets"] = [image.words() for image in those[first : first + size]]
        if first + size < len(those):
            page["nextPageToken"] = str(first + size)
        return 200, "application/json", json.dumps(page).encode()

    def _pixels(self, request: dict[str, Any]) -> tuple[int, str, bytes]:
        with self.lock:
            self.begun.append(time.monotonic())
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
            crowded = self.running > self.concurrent
            unlucky = self._random.random() < self.faults.too_many
            stalled = self.faults.stalls > 0
            self.faults.stalls -= stalled
            key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
            first = key not in self._seen
            self._seen.add(key)
            self.expressions.append(request)
        try:
            time.sleep(self.faults.stall_s if stalled else self.faults.latency_s)
            if crowded:
                return _error(429, "Too many concurrent requests.")
            if unlucky:
                return _error(429, "Quota exceeded for requests per minute.")
            if first and self.faults.unavailable_once:
                return _error(503, "The service is currently unavailable.")
            return self._computed(request)
        except GraphError as error:
            return _error(error.status, str(error))
        finally:
            with self.lock:
                self.running -= 1

    def _computed(self, request: dict[str, Any]) -> tuple[int, str, bytes]:
        if set(request) != {"expression", "fileFormat", "grid"} or request["fileFormat"] != "NPY":
            raise GraphError(f"Unexpected request: {sorted(request)}")
        grid = _grid(request["grid"])
        there = {name: image for name, image in self.images.items() if name not in self.faults.gone}
        node = evaluate(request["expression"], there)
        if max(grid.shape) > MOST_SIDE:
            raise GraphError(f"Pixel grid dimensions ({grid.shape[1]}x{grid.shape[0]}) must be <= {MOST_SIDE}.")
        sampled = [(band, node.sample(band, grid)) for band in node.bands]
        weight = sum((one.values.itemsize + 1) * one.values.size for _, one in sampled)
        self.largest = max(self.largest, weight)
        if weight > MOST_BYTES:
            raise GraphError(f"Total request size ({weight} bytes) must be less than or equal to {MOST_BYTES} bytes.")
        pixels = np.zeros(grid.shape, [(band, one.values.dtype.newbyteorder("<")) for band, one in sampled])
        for band, one in sampled:
            pixels[band] = np.where(one.mask, one.values, 0)  # what is masked comes out as zero, which may be a value
        return 200, "application/octet-stream", _spoiled(pixels, self.faults.wrong)


def definition(world: Path | str) -> SourceDefinition:
    """The shipped definition, with the list of the planted world's DEM tiles, and kernels as the planted one has."""
    shipped, planted = load_definition("earthengine"), load_definition("planted")
    folder = Path(world) / "cop-dem-glo-30"
    (degrees,) = json.loads((folder / "collection.json").read_text(encoding="utf-8"))["summaries"][
        "rsprep:tile_degrees"
    ]
    document = shipped.model_dump(mode="json")
    document["products"]["dem"]["absent"] = {
        "rule": "tile-list", "href": str(folder / "tileList.txt"), "tile_degrees": degrees,
    }  # fmt: skip
    document["products"]["sentinel2"]["resampling"] = planted.products.sentinel2.resampling  # type: ignore[union-attr]
    return SourceDefinition.model_validate(document)


def matches(image: FakeImage, words: str) -> bool:
    """Whether an image passes a filter; ValueError for one that is not understood."""
    for clause in filter(None, re.split(r" AND ", words)):
        time_limit = re.fullmatch(r'(startTime >=|endTime <) "([^"]+)"', clause)
        place = re.fullmatch(r'intersects\("(.+)"\)', clause)
        if time_limit is not None:
            limit = dt.datetime.fromisoformat(time_limit[2].replace("Z", "+00:00"))
            if not (image.start >= limit if time_limit[1].startswith("start") else image.start < limit):
                return False
        elif place is not None:
            if not _meets(image, shape(json.loads(place[1].replace("'", '"')))):
                return False
        else:
            raise ValueError(clause)
    return True


def _meets(image: FakeImage, area: shapely.Geometry) -> bool:
    return bool(shape(image.geometry).intersects(area))


def _grid(words: dict[str, Any]) -> GeoBox:
    size, affine = words["dimensions"], words["affineTransform"]
    numbers = [affine[key] for key in ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")]
    return GeoBox((size["height"], size["width"]), Affine(*numbers), words["crsCode"])


def _spoiled(pixels: np.ndarray[Any, Any], how: str | None) -> bytes:
    if how == "html":
        return b"<html>Sign in to the network</html>"
    if how == "shape":
        pixels = pixels[:-1]
    elif how == "dtype":
        pixels = pixels.astype([(name, "<f8") for name in pixels.dtype.names or ()])
    elif how == "bands":
        pixels = pixels.astype([(f"{name}_1", kind[0]) for name, kind in (pixels.dtype.fields or {}).items()])
    buffer = io.BytesIO()
    np.save(buffer, pixels)
    return buffer.getvalue()[: -10 if how == "cut" else None]


def _error(status: int, message: str) -> tuple[int, str, bytes]:
    names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
             429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}  # fmt: skip
    words = {"error": {"code": status, "message": message, "status": names.get(status, "UNKNOWN")}}
    return status, "application/json", json.dumps(words).encode()


@cache
def _discovery() -> bytes:
    """The client's own document, in the version it asks for, with two parameters that the document lacks."""
    document = json.loads(files("ee").joinpath("tests/cloud_api_discovery_document.json").read_text(encoding="utf-8"))
    listing = document["resources"]["projects"]["resources"]["assets"]["methods"]["listAssets"]["parameters"]
    for name in ("filter", "view"):
        listing[name] = {"location": "query", "type": "string"}
    return json.dumps(document).replace("v1alpha", "v1").encode()


@cache
def _algorithms() -> bytes:
    return files("ee").joinpath("tests/algorithms.json").read_bytes()


class _Server(ThreadingHTTPServer):
    owner: EarthEngineServer
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        owner = self.server.owner  # type: ignore[attr-defined]  # a _Server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, kind, content = owner.answer(method, self.path, body)
        what = "pixels" if "computePixels" in self.path else "list" if "listAssets" in self.path else "start"
        with owner.lock:
            owner.answers[what, status] += 1
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if status in (429, 503) and owner.faults.retry_after is not None:
                self.send_header("Retry-After", owner.faults.retry_after)
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked has given up

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


def main() -> None:
    """Serve a world until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("--latency", type=float, default=0.0)
    words = parser.parse_args()
    with EarthEngineServer(words.world, Faults(latency_s=words.latency)) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
