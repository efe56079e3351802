"""The page of a blind test: what is in it, what is not to be seen, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rsmodels.blind.job import blind_test
from rsmodels.blind.key import decode, encode, read_key
from rsmodels.cli.main import main
from rsmodels.errors import ModelError
from rsprep.errors import ConfigError

SMALL = {"real": 3, "generated": 4}


def pictures(folder: Path, count: int, *, seed: int, size: tuple[int, int] = (12, 10), ending: str = "png") -> Path:
    """A folder of noise, which no two pictures of all share."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"scene-{number:02d}.{ending}")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("blind")
    pictures(home / "truth", 9, seed=0)
    pictures(home / "painter", 9, seed=1)
    pictures(home / "dabbler", 9, seed=2)
    return home


def given(home: Path, folder: Path, **more: Any) -> dict[str, Any]:
    folders = [str(home / name) for name in ("truth", "painter", "dabbler")]
    return {"folders": folders, "out": str(folder / "blind.html"), **SMALL, **more}


def shown(page: str) -> dict[str, np.ndarray]:
    """Image by number, as a browser has them."""
    block = re.search(r'<script type="application/json" id="test">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    told = json.loads(block[1])
    assert set(told) == {"test", "low", "high", "images"}
    assert all(set(one) == {"n", "uri"} for one in told["images"])
    files = {one["n"]: base64.b64decode(one["uri"].split(",")[1]) for one in told["images"]}
    return {n: np.asarray(Image.open(io.BytesIO(file))) for n, file in files.items()}


def test_every_image_is_the_one_of_the_key(home: Path, tmp_path: Path) -> None:
    made = blind_test(given(home, tmp_path))
    assert (made.real, made.generated) == (3, {"painter": 4, "dabbler": 4})
    key = read_key(made.page)
    assert key["test"] == made.test
    images = shown(made.page.read_text(encoding="utf-8"))
    assert set(images) == set(key["images"])
    for n, one in key["images"].items():
        folder = home / (one["system"] or "truth")
        np.testing.assert_array_equal(images[n], np.asarray(Image.open(folder / f"{one['name']}.png")))
    names = {system: set() for system in (None, "painter", "dabbler")}  # type: dict[str | None, set[str]]
    for one in key["images"].values():
        names[one["system"]].add(one["name"])
    assert names["painter"] == names["dabbler"]  # all systems show the same scenes
    assert not names["painter"] & names[None]  # and none of those that are shown as they are
    order = [one["system"] for _, one in sorted(key["images"].items())]
    assert order != sorted(order, key=str)


def test_the_page_does_not_tell_which_is_which(home: Path, tmp_path: Path) -> None:
    page = blind_test(given(home, tmp_path)).page.read_text(encoding="utf-8")
    for word in ("painter", "dabbler", "truth", "scene-0"):
        assert word not in page
    assert not re.search(r"(src|href)=\"", page)
    assert not re.search(r"https?://", page)
    assert "no cryptography" in page


def test_the_same_again_is_the_same_and_another_seed_is_not(home: Path, tmp_path: Path) -> None:
    first = blind_test(given(home, tmp_path))
    before = first.page.read_bytes()
    assert blind_test(given(home, tmp_path)).page.read_bytes() == before
    with pytest.raises(ModelError, match="page-in-use"):  # its scores could not be read any more
        blind_test(given(home, tmp_path, seed=1))
    assert first.page.read_bytes() == before
    other = blind_test(given(home, tmp_path, seed=1, out=str(tmp_path / "other.html")))
    assert other.test != first.test
    assert read_key(other.page)["images"] != decode(*block_of(before.decode()))["images"]


def block_of(page: str) -> tuple[str, str]:
    found = re.search(r'id="key" data-test="(\w+)">([^<]*)<', page)
    assert found is not None
    return found[2], found[1]


def test_titles_cannot_break_out_of_the_page(home: Path, tmp_path: Path) -> None:
    page = blind_test(given(home, tmp_path, title="</script><script>alert(1)")).page.read_text(encoding="utf-8")
    assert "<script>alert" not in page


def test_large_pictures_are_shrunk_and_all_are_of_one_kind(tmp_path: Path) -> None:
    pictures(tmp_path / "a", 3, seed=0, size=(64, 32), ending="jpg")
    pictures(tmp_path / "b" / "deep", 4, seed=1, size=(64, 32), ending="tif")
    folders = [str(tmp_path / "a"), f"other={tmp_path / 'b'}"]
    made = blind_test({"folders": folders, "out": str(tmp_path / "t.html"), **SMALL, "longest": 16})
    assert made.generated == {"other": 4}
    assert {one.shape for one in shown(made.page.read_text()).values()} == {(16, 8, 3)}


def test_keys_come_back_and_look_like_nothing() -> None:
    key = {"images": {"001": {"system": None, "name": "a"}}, "long": "x" * 500}
    block = encode(key, "abc")
    assert decode(block, "abc") == key
    assert b"images" not in base64.b64decode(block)


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"real": 10}, "too-few-images"),
        ({"generated": 7}, "too-few-images"),
        ({"folders": ["{home}/truth", "{home}/nowhere"]}, "no-pictures"),
        ({"folders": ["{home}/truth", "{home}/painter", "painter={home}/dabbler"]}, "same-name"),
        ({"out": "{home}"}, "no-page"),
        ({"out": "{home}/nowhere/blind.html"}, "no-page"),
        ({"out": "{home}/blind.json"}, "no-page"),
    ],
)
def test_what_cannot_be_shown_is_refused(changes: dict[str, Any], slug: str, home: Path, tmp_path: Path) -> None:
    filled = json.loads(json.dumps(changes).replace("{home}", str(home)))
    with pytest.raises((ModelError, ConfigError)) as caught:
        blind_test(given(home, tmp_path, **filled))
    assert caught.value.slug == slug
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_would_give_themselves_away_are_refused(home: Path, tmp_path: Path) -> None:
    pictures(tmp_path / "small", 9, seed=3, size=(8, 8))
    with pytest.raises(ModelError, match="unlike-sizes"):
        blind_test(given(home, tmp_path, folders=[str(home / "truth"), str(tmp_path / "small")]))


def test_pictures_of_sixteen_bits_are_refused_by_name(home: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number in range(9):
        Image.fromarray(np.full((12, 10), 999, np.uint16)).save(tmp_path / "deep" / f"x{number}.png")
    with pytest.raises(ModelError, match=r"not-a-picture[\s\S]*I;16"):
        blind_test(given(home, tmp_path, folders=[str(home / "truth"), str(tmp_path / "deep")]))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"folders": ["a"]},
        {"folders": ["a", "b"], "data": "d"},
        {"folders": ["a", "b"], "checkpoint": ["c"], "data": "d"},
        {"checkpoint": ["c"]},
    ],
)
def test_images_come_from_one_place(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        blind_test(values)


def test_the_command_line_says_what_it_made(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "blind.html"
    counts = ["--real", "3", "--generated", "4"]
    assert main(["report", "--blind", str(home / "truth"), str(home / "painter"), *counts, "--out", str(out)]) == 0
    assert "3 real images, 4 of painter" in capsys.readouterr().out
    assert main(["report", str(home / "truth")]) == 2
    assert "no-such-report" in capsys.readouterr().err
