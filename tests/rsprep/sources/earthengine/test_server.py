"""The Earth Engine of the tests evaluates what it is sent, and refuses what it does not know."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.earthengine import EarthEngineServer, Faults
from tests.fakes.earthengine_assets import DW, S2

PATH = "/v1/projects/local-tests/image:computePixels"
LIST = f"/v1/projects/earthengine-public/assets/{DW}:listAssets"


def call(name: str, **arguments: Any) -> dict[str, Any]:
    words = {key: value if isinstance(value, dict) else {"constantValue": value} for key, value in arguments.items()}
    return {"functionInvocationValue": {"functionName": name, "arguments": words}}


def load(server: EarthEngineServer, collection: str, *bands: str) -> tuple[str, dict[str, Any]]:
    """An image that ends within its tile, and the words that load bands of it."""
    image = next(name for name in sorted(server.images) if name.startswith(collection) and "UXV_20210816" in name)
    return image, call("Image.select", input=call("Image.load", id=image), bandSelectors=list(bands))


def ask(server: EarthEngineServer, word: Mapping[str, Any], side: int = 64, **more: Any) -> tuple[int, Any]:
    """Status, and the array or the message."""
    lattice = server.images[next(name for name in sorted(server.images) if "UXV_20210816" in name)]
    affine = next(iter(lattice.bands.values())).lattice.affine
    grid = {
        "dimensions": {"width": side, "height": side},
        "affineTransform": {"scaleX": 10, "shearX": 0, "translateX": affine.c,
                            "shearY": 0, "scaleY": -10, "translateY": affine.f},
        "crsCode": "EPSG:32633",
    }  # fmt: skip
    body = {"expression": {"result": "0", "values": {"0": word}}, "fileFormat": "NPY", "grid": grid, **more}
    status, kind, content = server.answer("POST", PATH, json.dumps(body).encode())
    return status, np.load(io.BytesIO(content)) if kind != "application/json" else json.loads(content)["error"][
        "message"
    ]


def test_what_is_masked_is_zero_unless_it_is_filled(server: EarthEngineServer) -> None:
    name, labels = load(server, DW, "label")
    _, seen = server.images[name].bands["label"].read(slice(0, 300), slice(0, 300))
    assert not seen.all()
    filled = call("Image.unmask", input=labels, value=call("Image.constant", value=255), sameFootprint=False)
    found: dict[str, NDArray[Any]] = {}
    for how, word in (("plain", labels), ("filled", call("Image.toUint8", value=filled))):
        status, found[how] = ask(server, word, side=300)
        assert status == 200
    assert (found["plain"]["label"][~seen] == 0).all()
    assert (found["filled"]["label"] == np.where(seen, found["plain"]["label"], 255)).all()
    assert found["filled"].dtype == [("label", "u1")]


def test_the_footprint_is_kept_unless_it_is_given_up(server: EarthEngineServer) -> None:
    _, band = load(server, S2, "B4")
    for keep in (True, False):
        word = call("Image.unmask", input=band, value=call("Image.constant", value=7), sameFootprint=keep)
        status, answer = ask(server, call("Image.toUint16", value=word), side=900)  # the tile has 798
        assert status == 200
        assert (answer["B4"][-1, -1] == 7) is np.bool_(not keep)


@pytest.mark.parametrize(
    ("word", "status", "message"),
    [
        (call("Image.focalMean", input=call("Image.load", id="x")), 404, "x"),
        (call("Image.focalMean", input=call("Image.constant", value=1)), 400, "no such function"),
        (call("Image.unmask", input=call("Image.constant", value=1), val=3), 400, "unexpected keyword"),
        (call("Image.select", input=call("Image.constant", value=1), bandSelectors=["B4"]), 400, "did not match"),
        ({"constantValue": 5}, 400, "not evaluate to an image"),
        ({"functionDefinitionValue": {}}, 400, "Unknown kind"),
    ],
)
def test_what_it_does_not_know_is_refused(
    server: EarthEngineServer, word: dict[str, Any], status: int, message: str
) -> None:
    answered, told = ask(server, word)
    assert answered == status
    assert message in told


def test_limits_are_those_of_the_service(server: EarthEngineServer) -> None:
    word = call("Image.toFloat", value=call("Image.constant", value=1))
    assert ask(server, word, side=3000)[0] == 200
    status, message = ask(server, word, side=3300)
    assert (status, "must be less than" in message) == (400, True)
    assert ask(server, word, side=40_000)[0] == 400
    assert ask(server, word, workloadTag="a")[0] == 400


def test_too_many_at_a_time(server: EarthEngineServer) -> None:
    server.concurrent = 2
    server.faults = Faults(latency_s=0.2)
    word = call("Image.toFloat", value=call("Image.constant", value=1))
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(server, word)[0])) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 200, 429, 429, 429]


def test_lists_are_filtered_and_paged(server: EarthEngineServer) -> None:
    def listed(query: str) -> tuple[int, dict[str, Any]]:
        status, _, content = server.answer("GET", f"{LIST}?{query}", b"")
        return status, json.loads(content)

    whole = len([name for name in server.images if name.startswith(DW)])
    assert len(listed("")[1]["assets"]) == whole
    status, page = listed("pageSize=3")
    assert (status, len(page["assets"]), page["nextPageToken"]) == (200, 3, "3")
    assert listed('filter=startTime >= "2031-01-01T00:00:00Z"') == (200, {})
    nowhere = "{'type':'Polygon','coordinates':[[[0,0],[1,0],[1,1],[0,0]]]}"
    assert listed(f'filter=intersects("{nowhere}")') == (200, {})
    assert listed("filter=cloud < 3")[0] == 400
