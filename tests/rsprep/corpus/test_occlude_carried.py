"""Occlusion pairs with something beside them, and whole pictures as one chip each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject

import rsprep
from rsprep.corpus.occlusion.job import occlude
from rsprep.corpus.semantic.job import semantic_masks
from rsprep.errors import InputError
from rsprep.job.verify import verify
from tests.rsprep.corpus.occluding import SIDE, ground, save, write_images, write_masks
from tests.rsprep.corpus.scenes import plant

CHIP = 32


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of images and class masks, and binary masks of its chips' size beside it."""
    folder = tmp_path_factory.mktemp("carried")
    plant(folder / "scenes")
    values = {"scenes": str(folder / "scenes"), "classes": "scenes-lulc4", "size": CHIP, "seed": 3}
    values |= {"catalog": str(folder / "catalog"), "out": str(folder / "chips")}
    semantic_masks(values)
    write_masks(folder / "masks", 20, side=CHIP)
    return folder


def pairs(folder: Path, out: Path, **more: object) -> xr.Dataset:
    settings = {"images": str(folder / "chips"), "masks": str(folder / "masks"), "out": str(out / "pairs")}
    return rsprep.open(occlude({**settings, "catalog": str(out / "catalog"), **more}).dataset)


def test_class_maps_go_along_bit_for_bit(scenes: Path, tmp_path: Path) -> None:
    chips = pairs(scenes, tmp_path, carry=["mask"])
    source = rsprep.open(scenes / "chips")
    assert verify(tmp_path / "pairs").ok
    at = {name: i for i, name in enumerate(source["chip_id"].to_numpy().tolist())}
    kept = [at[name] for name in chips["source"].to_numpy().tolist()]
    assert (chips["classes"].to_numpy() == source["mask"].to_numpy()[kept]).all()
    assert (chips["clean"].to_numpy() == source["image"].to_numpy()[kept]).all()
    assert set(np.unique(chips["mask"].to_numpy())) == {0, 1}
    assert chips["classes"].attrs["flag_meanings"] == source["mask"].attrs["flag_meanings"]
    page = (tmp_path / "pairs" / "report.html").read_text(encoding="utf-8")
    assert "occluded, mask, clean, classes" in page


def test_pieces_of_chips_keep_what_lies_on_them(scenes: Path, tmp_path: Path) -> None:
    """Chips that are cut have the pixels of the class map under them, not those of its corner."""
    chips = pairs(scenes, tmp_path, carry=["mask"], size=CHIP // 2)
    source = rsprep.open(scenes / "chips")
    at = {name: i for i, name in enumerate(source["chip_id"].to_numpy().tolist())}
    assert len(chips.chip) > len(at)
    for i, (name, own) in enumerate(zip(chips["chip_id"].to_numpy(), chips["source"].to_numpy(), strict=True)):
        row, column = (int(part[1:]) for part in str(name).rsplit("-", 2)[1:])
        part = np.s_[..., row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
        assert (chips["classes"].to_numpy()[i] == source["mask"].to_numpy()[at[str(own)]][part]).all()
        assert (chips["clean"].to_numpy()[i] == source["image"].to_numpy()[at[str(own)]][part]).all()


@pytest.mark.parametrize(
    ("more", "slug"),
    [
        ({"carry": ["lulc"]}, "no-variable"),
        ({"carry": ["clean"]}, "carried-name"),
        ({"carry": ["mask", "mask"]}, "carried-name"),
        ({"carry": ["mask"], "size": 48, "resize": True}, "carried-size"),
    ],
)
def test_what_cannot_go_along_is_refused(scenes: Path, tmp_path: Path, more: dict[str, object], slug: str) -> None:
    with pytest.raises(InputError, match=f"input/{slug}"):
        pairs(scenes, tmp_path, **more)
    assert list(tmp_path.iterdir()) == []


def test_pictures_have_nothing_to_pass_on(tmp_path: Path) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 2}), write_masks(tmp_path / "masks", 4)
    settings = {"images": str(images), "masks": str(masks), "out": str(tmp_path / "pairs"), "size": SIDE}
    with pytest.raises(InputError, match="input/carry-folder"):
        occlude({**settings, "carry": ["mask"]})


def averaged(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """GDAL's average of a square picture over the pixels of a grid of SIDE × SIDE."""
    out = np.empty((len(image), SIDE, SIDE), np.float32)
    grids = {
        "src_transform": Affine.scale(SIDE), "dst_transform": Affine.scale(image.shape[1]),
        "src_crs": "EPSG:32633", "dst_crs": "EPSG:32633",
    }  # fmt: skip
    reproject(image.astype(np.float32), out, resampling=Resampling.average, **grids)
    return out


def test_whole_pictures_are_averaged_to_a_chip_each(tmp_path: Path) -> None:
    """As the inpainting paper has RSSCN7: 400 × 400 become 256 × 256, all of them and all of each."""
    masks = write_masks(tmp_path / "masks", 8)
    for i in range(3):
        save(tmp_path / "images" / "train" / f"{i}.png", ground(i, (3, 100, 100)))
    save(tmp_path / "images" / "test" / "wide.png", ground(9, (3, SIDE, 2 * SIDE)))
    settings = {"images": str(tmp_path / "images"), "masks": str(masks), "out": str(tmp_path / "pairs"), "size": SIDE}
    outcome = occlude({**settings, "catalog": str(tmp_path / "catalog"), "whole": True})
    chips = rsprep.open(outcome.dataset)
    assert chips["chip_id"].to_numpy().tolist() == ["test-wide", "train-0", "train-1", "train-2"]
    wide = ground(9, (3, SIDE, 2 * SIDE)).reshape(3, SIDE, SIDE, 2).mean(axis=-1)
    assert np.abs(chips["clean"].to_numpy()[0] - wide).max() <= 0.5
    for i in range(3):
        assert np.abs(chips["clean"].to_numpy()[1 + i] - averaged(ground(i, (3, 100, 100)))).max() <= 0.51
    note = next(one.note for one in outcome.data.tables if one.title == "Images")
    assert note == "4 images were averaged down to a chip each. 1 of them are not square, and were squeezed."


def test_whole_pictures_that_are_smaller_need_resize(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", write_masks(tmp_path / "masks", 4)
    save(images / "train" / "low.png", ground(0, (3, SIDE // 2, 3 * SIDE)))
    settings = {"images": str(images), "masks": str(masks), "size": SIDE, "whole": True}
    settings |= {"catalog": str(tmp_path / "catalog"), "out": str(tmp_path / "pairs")}
    with pytest.raises(InputError, match="input/image-too-small"):
        occlude(settings)
    assert rsprep.open(occlude({**settings, "resize": True}).dataset)["clean"].shape == (1, 3, SIDE, SIDE)
