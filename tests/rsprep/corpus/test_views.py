"""Planted views: both of the same place, each place of its own, no ground in two splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import rsprep
from rsprep.cli.main import main
from rsprep.corpus.views.job import simulate_views
from rsprep.corpus.views.landscape import ABOVE, MATERIALS, Landscape, plant
from rsprep.corpus.views.sight import BOTTOM, TOP, from_above, panorama
from rsprep.job.verify import verify
from tests.rsprep.job.tiny import pixel_files

NAMES = [name for name, _, _ in MATERIALS]


def open_field(*things: tuple[float, float, float, float], made_of: str = "tin") -> Landscape:
    """A meadow with some round things on it: east, north, radius, height."""
    return Landscape(
        sites=np.zeros((1, 3)),
        crops=np.array([NAMES.index("meadow")]),
        roads=np.zeros((0, 3)),
        paved=np.zeros(0, np.int64),
        ponds=np.zeros((0, 5)),
        things=np.array(things).reshape(-1, 4),
        made_of=np.full(len(things), NAMES.index(made_of)),
    )


def near(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(y, x) True where a picture has a colour but for light, haze and noise."""
    seen = picture.astype(float) / picture.sum(axis=0, keepdims=True)
    return np.asarray(np.abs(seen - (colour / colour.sum())[:, None, None]).max(axis=0) < 0.09)


@pytest.mark.parametrize(("east", "north", "heading"), [(0, 20, 0), (20, 0, 0), (-20, 0, 0), (14, 14, 0), (20, 0, 90)])
def test_what_stands_somewhere_is_seen_there_in_both_views(east: float, north: float, heading: float) -> None:
    land, size = open_field((east, north, 4, 12)), 64
    around, bare = (panorama(one, size, 5.0, heading, np.random.default_rng(0)) for one in (land, open_field()))
    around = np.abs(around.astype(int) - bare).max(axis=0) > 30
    columns = np.flatnonzero(around.any(axis=0))
    bearing = np.degrees(np.arctan2(east, north)) - heading
    assert abs((columns.mean() + 0.5) / size * 360 - 180 - bearing) < 6
    # At 20 m the wall begins 16 m away, 17° below the eye, and ends 7 m above it.
    rows = TOP - (np.flatnonzero(around.any(axis=1)) + 0.5) / size * (TOP - BOTTOM)
    assert rows.min() == pytest.approx(-17.4, abs=2)
    assert rows.max() == pytest.approx(23.6, abs=2)
    above, bare = (from_above(one, size, 50.0, np.random.default_rng(0)) for one in (land, open_field()))
    above = (above.astype(int) - bare).sum(axis=0) > 100  # brighter: the shadow is not
    y, x = (one.mean() + 0.5 for one in np.nonzero(above))
    assert (x / size * 100 - 50, 50 - y / size * 100) == pytest.approx((east, north), abs=2.5)


def test_the_near_hides_the_far_and_roofs_are_seen_from_above_only() -> None:
    hidden = panorama(open_field((0, 12, 5, 20), (0, 30, 4, 10)), 64, 5.0, 0, np.random.default_rng(0))
    alone = panorama(open_field((0, 12, 5, 20)), 64, 5.0, 0, np.random.default_rng(0))
    assert (hidden == alone).all()
    low = panorama(open_field((0, 12, 5, 2)), 64, 5.0, 0, np.random.default_rng(0))
    assert near(low, ABOVE[NAMES.index("tin")]).any()


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xr.Dataset]:
    folder = tmp_path_factory.mktemp("views")
    made = simulate_views({"out": str(folder / "views"), "catalog": str(folder / "catalog"), "n": 40, "size": 32})
    assert verify(made.dataset).ok
    return made.dataset, rsprep.open(made.dataset)


def test_a_place_depends_on_its_number_alone(views: tuple[Path, xr.Dataset], tmp_path: Path) -> None:
    settings = {"catalog": str(tmp_path / "catalog"), "size": 32}
    fewer = simulate_views({**settings, "n": 5, "out": str(tmp_path / "fewer"), "engine": {"workers": 2}})
    chips = rsprep.open(fewer.dataset)
    for name in ("ground", "satellite", "split", "x_origin", "y_origin"):
        assert (chips[name].to_numpy() == views[1][name].to_numpy()[:5]).all(), name
    other = simulate_views({**settings, "n": 5, "seed": 1, "out": str(tmp_path / "other")})
    assert pixel_files(other.dataset) != pixel_files(fewer.dataset)


def test_no_ground_is_in_two_places(views: tuple[Path, xr.Dataset]) -> None:
    """Pitfall 41."""
    chips = views[1]
    at = np.column_stack([chips["x_origin"].to_numpy(), chips["y_origin"].to_numpy()])
    apart = np.abs(at[:, None] - at[None]).max(axis=-1)
    assert apart[~np.eye(len(at), dtype=bool)].min() >= 200
    assert set(chips["split"].to_numpy().tolist()) == {"train", "val", "test"}
    assert (chips["heading"].to_numpy() == 0).all()


def test_places_differ(views: tuple[Path, xr.Dataset]) -> None:
    for name in ("ground", "satellite"):
        pictures = views[1][name].to_numpy().reshape(40, -1).astype(float)
        assert np.abs(pictures[:, None, ::7] - pictures[None, :, ::7]).mean(axis=-1)[~np.eye(40, dtype=bool)].min() > 8


def test_everything_is_within_reach() -> None:
    for seed in range(20):
        land = plant(np.random.default_rng(seed), 50.0)
        distance = np.hypot(land.things[:, 0], land.things[:, 1])
        assert (distance - land.things[:, 2] > 5).all()
        assert (distance < 50).all()


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["simulate-views", "views", "--n", "6", "--size", "16", "--heading", "90"]) == 0
    assert "All 6 chips committed." in capsys.readouterr().out
    heading = rsprep.open("views")["heading"].to_numpy()
    assert np.abs(heading).max() > 10
    assert np.abs(heading).max() <= 90
    assert main(["simulate-views", "views", "--n", "2"]) == 2
    assert "config/bad-n" in capsys.readouterr().err
