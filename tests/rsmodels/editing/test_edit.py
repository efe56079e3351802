"""An image before and after an edit, as a whole."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from torch import Tensor

import rsmodels
import rsprep
from rsmodels.data.batch import ChipBatch
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource, field
from rsmodels.editing import edit as editing
from rsmodels.editing.edit import FILES, Edit
from rsmodels.errors import ModelError
from rsmodels.nets.noise import NoiseForm
from rsmodels.training.load import Trained, load
from rsprep.errors import InputError

CHIP = "tiny-001"


def mask_of(data: Path) -> np.ndarray[Any, Any]:
    """The codes of the chip."""
    source = ChipSource.open(data)
    slot = int(source.chips.slot[source.chips.chip_id == CHIP][0])
    return ChipFields(source, [field(source, "landcover")]).read(slot)[0]["landcover"].copy()


def classes_of(data: Path) -> list[str]:
    """Names of the classes that the chip has, the largest first."""
    label, mask = field(ChipSource.open(data), "landcover"), mask_of(data)
    counts = {name: int((mask == code).sum()) for name, code in zip(label.classes, label.codes, strict=True)}
    return sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])


def run_edit(data: Path, run: Path, out: Path, **changes: Any) -> Edit:
    values = {"checkpoint": str(run), "data": str(data), "chip": CHIP, "out": str(out), "device": "cpu"}
    return rsmodels.edit({**values, **changes})


def pixels(file: Path) -> np.ndarray[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(file) as opened:
            return np.asarray(opened.read())


def test_a_redrawn_class_changes_and_the_rest_is_kept(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    name = classes_of(tiny_dataset)[0]
    made = run_edit(tiny_dataset, noisy, tmp_path / "edit", redraw=name, seed=7, new_seed=8)
    assert sorted(file.name for file in made.out.iterdir()) == sorted(FILES)
    record = json.loads((made.out / "edit.json").read_text())
    assert record == json.loads(json.dumps(made.record))
    assert record["noise"] == {"seed": 7, "new_seed": 8}
    assert record["checkpoint"]["hash"] == load(noisy).manifest_hash
    assert record["chip"] == {"chip_id": CHIP, "split": "train"}
    assert record["change"]["inside"] > record["change"]["outside"] >= 0
    assert [one["name"] for one in record["classes"] if one["redrawn"]] == [name]
    mask = mask_of(tiny_dataset)
    np.testing.assert_array_equal(pixels(made.out / "mask.tif")[0], mask)
    assert record["region"]["pixels"] == max(one["pixels_after"] for one in record["classes"])
    assert (pixels(made.out / "before.tif") != pixels(made.out / "after.tif")).any()
    page = (made.out / "report.html").read_text()
    assert f"Other noise for {name}" in page
    assert "seed 7, redrawn with 8" in page
    with Image.open(made.out / "edit.png") as picture:
        assert picture.size[0] > 6 * 256


def test_before_is_what_the_seed_makes_and_after_has_the_new_noise(
    tiny_dataset: Path, noisy: Path, tmp_path: Path
) -> None:
    every = classes_of(tiny_dataset)
    one = run_edit(tiny_dataset, noisy, tmp_path / "one", redraw=every[0], seed=3, new_seed=4)
    other = run_edit(tiny_dataset, noisy, tmp_path / "other", redraw="all", seed=3, new_seed=4)
    back = run_edit(tiny_dataset, noisy, tmp_path / "back", redraw=every, seed=4, new_seed=3)
    assert one.out.joinpath("before.tif").read_bytes() == other.out.joinpath("before.tif").read_bytes()
    np.testing.assert_array_equal(pixels(other.out / "after.tif"), pixels(back.out / "before.tif"))
    assert other.record["region"]["share"] == 1
    assert other.record["change"]["outside"] is None
    assert (mask_of(tiny_dataset) != 255).all()  # so that all classes are all that there is
    np.testing.assert_array_equal(pixels(other.out / "before.tif"), pixels(back.out / "after.tif"))


def test_images_lie_where_the_chip_does(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    made = run_edit(tiny_dataset, noisy, tmp_path / "edit", redraw="all")
    chips = rsprep.open(tiny_dataset)
    at = chips["chip_id"].to_numpy().tolist().index(CHIP)
    for name, dtype, nodata in (("before", "int16", -32768), ("after", "int16", -32768), ("mask", "uint8", 255)):
        with rasterio.open(made.out / f"{name}.tif") as file:
            assert file.crs.to_epsg() == int(chips["epsg"][at])
            assert file.transform[:6] == (10, 0, float(chips["x_origin"][at]), 0, -10, float(chips["y_origin"][at]))
            assert file.dtypes[0] == dtype
            assert file.nodata == nodata
            if name != "mask":
                assert file.descriptions == ("B02", "B03", "B04", "B08")


def test_a_picture_without_a_place_is_no_accident(
    tiny_dataset: Path, noisy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings are errors here: rasterio must not complain."""
    opened = ChipSource.open

    def nowhere(path: str) -> ChipSource:
        source = opened(path)
        return replace(source, chips=replace(source.chips, epsg=np.zeros_like(source.chips.epsg)))

    monkeypatch.setattr(editing.ChipSource, "open", nowhere)
    made = run_edit(tiny_dataset, noisy, tmp_path / "edit", redraw="all")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(made.out / "after.tif") as file:
        assert file.crs is None


def test_another_mask_by_name_or_by_file(tiny_dataset: Path, quiet: Path, tmp_path: Path) -> None:
    """A generator without noise takes other masks, too; its radar and terrain stay."""
    first, second, *_ = classes_of(tiny_dataset)
    made = run_edit(tiny_dataset, quiet, tmp_path / "edit", replace=f"{first}={second}")
    mask, after = mask_of(tiny_dataset), pixels(made.out / "mask.tif")[0]
    assert (mask != after).sum() == made.record["region"]["pixels"] > 0
    assert made.record["noise"] is None
    assert made.record["asked"]["replace"] == {first: second}
    Image.fromarray(after).save(tmp_path / "mask.png")
    again = run_edit(tiny_dataset, quiet, tmp_path / "again", mask=str(tmp_path / "mask.png"))
    for name in ("before.tif", "after.tif", "mask.tif"):
        np.testing.assert_array_equal(pixels(made.out / name), pixels(again.out / name))
    assert len(again.record["asked"]["mask"]["sha256"]) == 64
    third = run_edit(tiny_dataset, quiet, tmp_path / "third", mask=str(made.out / "mask.tif"))
    assert third.record["region"] == made.record["region"]


def test_mask_and_noise_together(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    first, second, *_ = classes_of(tiny_dataset)
    made = run_edit(tiny_dataset, noisy, tmp_path / "edit", replace={first: second}, redraw=[second])
    rows = {one["name"]: one for one in made.record["classes"]}
    assert rows[first]["pixels_after"] == 0
    assert made.record["region"]["pixels"] == rows[second]["pixels_after"]


def test_the_same_edit_again_takes_the_place_of_the_older(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    made = run_edit(tiny_dataset, noisy, tmp_path / "edit", redraw="all")
    before = {name: (made.out / name).read_bytes() for name in FILES}
    run_edit(tiny_dataset, noisy, tmp_path / "edit", redraw="all")
    assert {name: (made.out / name).read_bytes() for name in FILES} == before
    assert list(tmp_path.iterdir()) == [tmp_path / "edit"]


# -- refused by name, and nothing is written --------------------------------------------------------


def refused(name: str, data: Path, run: Path, out: Path, /, **changes: Any) -> str:
    values = {"checkpoint": str(run), "data": str(data), "chip": CHIP, "out": str(out), "device": "cpu"}
    with pytest.raises(InputError) as caught:
        rsmodels.edit({**values, **changes})
    assert caught.value.name == name
    assert caught.value.exit_code == 2
    assert not out.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({}, "model/nothing-to-edit", "--redraw"),
        ({"redraw": "watr"}, "model/unknown-class", "'water'"),
        ({"replace": "water=treees"}, "model/unknown-class", "'trees'"),
        ({"chip": "tiny-01", "redraw": "all"}, "model/no-such-chip", "did you mean 'tiny-0"),
        ({"chip": "elsewhere", "redraw": "all"}, "model/no-such-chip", "items.parquet"),
        ({"split": "test", "redraw": "all"}, "model/no-such-chip", "--split train"),
        ({"redraw": "all", "seed": 5, "new_seed": 5}, "model/same-seed", "--new-seed"),
        ({"redraw": "all", "data": "nowhere"}, "store/not-found", ""),
        ({"redraw": "all", "checkpoint": "nowhere"}, "model/no-checkpoint", ""),
        ({"redraw": "all", "seed": -1}, "config/bad-seed", ""),
        ({"replace": "water"}, "config/bad-replace", "water=vegetation"),
        ({"replace": "water=trees,water=grass"}, "config/bad-replace", "one other"),
    ],
)
def test_bad_input(
    tiny_dataset: Path, noisy: Path, tmp_path: Path, changes: dict[str, Any], name: str, said: str
) -> None:
    assert said in refused(name, tiny_dataset, noisy, tmp_path / "edit", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_the_mask_lacks(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    first, second, *_ = classes_of(tiny_dataset)
    gone = {"replace": {first: second}, "redraw": [first]}
    assert second in refused("model/class-not-in-mask", tiny_dataset, noisy, tmp_path / "edit", **gone)


def test_a_mask_that_is_the_same(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    Image.fromarray(mask_of(tiny_dataset)).save(tmp_path / "mask.png")
    mask = str(tmp_path / "mask.png")
    refused("model/nothing-to-edit", tiny_dataset, noisy, tmp_path / "edit", mask=mask)
    run_edit(tiny_dataset, noisy, tmp_path / "edit", mask=mask, redraw="all")


def test_noise_that_is_not_there_or_not_by_class(
    tiny_dataset: Path, noisy: Path, quiet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = classes_of(tiny_dataset)[0]
    refused("model/no-noise", tiny_dataset, quiet, tmp_path / "edit", redraw=name)

    class Whole(Trained):
        @property
        def noise(self) -> NoiseForm:
            return NoiseForm(shape=super().noise.shape, by_class=False)  # type: ignore[union-attr]  # it has one

    monkeypatch.setattr(editing, "load", lambda path, device: Whole(**vars(load(path, device=device))))
    refused("model/noise-not-by-class", tiny_dataset, noisy, tmp_path / "edit", redraw=name)
    run_edit(tiny_dataset, noisy, tmp_path / "edit", redraw="all")


def test_numbers_that_are_not_finite(
    tiny_dataset: Path, noisy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spoilt(Trained):
        def generate(self, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
            return torch.full_like(super().generate(batch, noise), torch.nan)

    monkeypatch.setattr(editing, "load", lambda path, device: Spoilt(**vars(load(path, device=device))))
    refused("model/not-finite", tiny_dataset, noisy, tmp_path / "edit", redraw="all")


def test_a_generator_of_other_chips(
    tiny_dataset: Path, noisy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger = {"chip_px": 64}
    monkeypatch.setattr(editing, "load", lambda path, device: replace(load(path, device=device), **larger))
    refused("model/other-chip-size", tiny_dataset, noisy, tmp_path / "edit", redraw="all")


def test_other_files_are_left_alone(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ModelError, match="not-an-edit"):
        run_edit(tiny_dataset, noisy, tmp_path, redraw="all")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
