"""A data set filled: the same chips, what was filled marked, and nobody fooled by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rsprep
from rsmodels.data.lineage import FILE_NAME, Seen, check_training_mix, refuse_leaks, seen_by
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.filling.inpaint import inpaint
from rsprep.corpus.occlusion.job import occlude
from rsprep.errors import InputError
from rsprep.finish import Outcome
from rsprep.store.schema import S2_NODATA


def fill(data: Path, out: Path, **changes: Any) -> Outcome:
    values = {"input": str(data), "out": str(out), "catalog": str(out.parent / "catalog"), "method": "telea"}
    outcome = inpaint({**values, **changes}).outcome
    assert outcome is not None
    return outcome


@pytest.fixture(scope="module")
def filled(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tiny_dataset, tmp_path_factory.mktemp("filled") / "filled").dataset


def test_chips_stay_but_for_what_was_hidden(tiny_dataset: Path, filled: Path) -> None:
    before, after = rsprep.open(tiny_dataset).load(), rsprep.open(filled).load()
    for name in ("chip_id", "split", "epsg", "x_origin", "datetime_start", "lulc", "s1", "terrain"):
        np.testing.assert_array_equal(after[name].to_numpy(), before[name].to_numpy())
    hidden = before["s2_valid"].to_numpy() == 0
    assert hidden.any()
    marked = after["filled"].to_numpy() == 1
    assert np.array_equal(marked, hidden)
    old, new = (one["s2"].to_numpy().transpose(0, 2, 3, 1) for one in (before, after))
    assert np.array_equal(new[~hidden], old[~hidden])
    assert (new[hidden] != S2_NODATA).all()
    assert new[hidden].min() >= old[~hidden].min()
    assert (after["s2_valid"].to_numpy() == 1).all()  # clear, or filled: `filled` tells which
    assert np.allclose(after["filled_share"], hidden.mean(axis=(1, 2)))
    assert not after["synthetic"].any()
    assert (filled / "before-after.html").is_file()
    assert "Filled" in (filled / "report.html").read_text(encoding="utf-8")
    assert (filled.parent / "catalog" / "catalog.json").is_file()


def test_it_is_trained_on_like_any_other(filled: Path) -> None:
    source = ChipSource.open(filled)
    assert len(source.of_split("train"))
    assert {"filled_from", "filled_digest"} <= {column.name for column in source.schema.columns}


def test_filling_again_does_nothing(tiny_dataset: Path, filled: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (filled / "chips.zarr").rglob("*")}
    fill(tiny_dataset, filled)
    assert {path: path.stat().st_mtime_ns for path in (filled / "chips.zarr").rglob("*")} == before
    with pytest.raises(InputError):
        fill(tiny_dataset, filled, method="navier-stokes")


def test_chips_of_which_nothing_is_known_are_left_out(tiny_dataset: Path, tmp_path: Path) -> None:
    every = tuple(range(9))
    outcome = fill(tiny_dataset, tmp_path / "out", mask="lulc", mask_codes=every)
    assert outcome.data.counts.rejected > 0
    assert outcome.data.counts.quarantined == 0


def test_chips_that_are_hidden_too_much_are_left_out(tiny_dataset: Path, tmp_path: Path) -> None:
    shares = (rsprep.open(tiny_dataset)["s2_valid"] == 0).mean(("y", "x")).to_numpy()
    outcome = fill(tiny_dataset, tmp_path / "out", max_hidden=0.01)
    assert outcome.data.counts.committed == (shares <= 0.01).sum() < len(shares)


def test_the_chips_behind_it_are_seen(tiny_dataset: Path, filled: Path) -> None:
    """Pitfall 42: who trains on filled train chips may not be judged on what they were, nor the other way round."""
    source, real = ChipSource.open(filled), ChipSource.open(tiny_dataset)
    train = seen_by([source])
    assert set(real.chips.digest[real.chips.split == "train"].tolist()) <= set(train.digest.astype(str).tolist())
    refuse_leaks(train, real)  # the splits are those of the chips
    refuse_leaks(train, source)
    with pytest.raises(ModelError, match="model/saw-held-out"):
        refuse_leaks(seen_by([source], "test"), real)
    with pytest.raises(ModelError, match="model/saw-held-out"):
        refuse_leaks(seen_by([real], "test"), source)


def test_pictures_without_a_place_are_known_again_after_filling(pairs: Path, tmp_path: Path) -> None:
    source = ChipSource.open(fill(pairs, tmp_path / "out").dataset)
    real = ChipSource.open(pairs)
    for split in ("test", "val"):
        if (real.chips.split == split).any():
            with pytest.raises(ModelError, match="model/saw-held-out"):
                refuse_leaks(seen_by([real], split), source)


def test_what_the_filler_saw_goes_with_it(tiny_dataset: Path, tmp_path: Path) -> None:
    """A filler that saw test chips puts them into whatever it fills."""
    out = fill(tiny_dataset, tmp_path / "out").dataset
    source, real = ChipSource.open(out), ChipSource.open(tiny_dataset)
    check_training_mix([source], [real])
    Seen.chips_of(real, real.chips.split == "test").write(out / FILE_NAME)
    with pytest.raises(ModelError, match=r"model/saw-held-out.*the filled data set"):
        check_training_mix([source], [real])
    (out / FILE_NAME).unlink()
    with pytest.raises(ModelError, match="model/no-lineage"):
        seen_by([source])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Occlusion pairs of small pictures that lie nowhere."""
    from PIL import Image

    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:32, :32]
    for number in range(8):
        split = ("train", "train", "val", "test")[number % 4]
        (root / "images" / split).mkdir(parents=True, exist_ok=True)
        (root / "masks" / split).mkdir(parents=True, exist_ok=True)
        wave = 120 + 60 * np.sin(x / 6 + rng.uniform(0, 6)) + 40 * np.cos(y / 5 + number)
        rgb = np.stack([wave, 0.8 * wave, 255 - wave], axis=-1)
        Image.fromarray(rgb.astype(np.uint8)).save(root / "images" / split / f"i{number}.png")
        hole = ((y - 16) ** 2 + (x - rng.integers(10, 22)) ** 2 < 60).astype(np.uint8) * 255
        Image.fromarray(hole).save(root / "masks" / split / f"m{number}.png")
    settings = {
        "images": str(root / "images"), "masks": str(root / "masks"), "size": 32, "out": str(root / "pairs"),
        "catalog": str(root / "catalog"), "split": "folder",
    }  # fmt: skip
    return occlude(settings).dataset


def test_occlusion_pairs_get_a_repaired_image_beside_them(pairs: Path, tmp_path: Path) -> None:
    after = rsprep.open(fill(pairs, tmp_path / "out").dataset).load()
    before = rsprep.open(pairs).load()
    for name in ("occluded", "mask", "clean", "label", "mask_id"):
        np.testing.assert_array_equal(after[name].to_numpy(), before[name].to_numpy())
    hidden = (before["mask"].to_numpy() == 1)[:, None]
    image, clean = after["image"].to_numpy(), before["clean"].to_numpy()
    assert np.array_equal(np.where(hidden, 0, image), np.where(hidden, 0, clean))
    errors = [np.abs(one.astype(float) - clean)[np.broadcast_to(hidden, clean.shape)].mean()
              for one in (image, before["occluded"].to_numpy())]  # fmt: skip
    assert errors[0] < 0.5 * errors[1]


def test_refusals(tiny_dataset: Path, pairs: Path, tmp_path: Path) -> None:
    for changes, name in (
        ({"variable": "sar"}, "model/nothing-to-fill"),
        ({"mask": "s1"}, "model/no-hiding-variable"),
        ({"mask": "clouds"}, "model/no-hiding-variable"),
        ({"bands": "B02,B99"}, "model/bands"),
    ):
        with pytest.raises(ModelError) as error:
            fill(tiny_dataset, tmp_path / "out", **changes)
        assert error.value.name == name
        assert not (tmp_path / "out").exists()


def test_only_named_bands_are_filled(tiny_dataset: Path, tmp_path: Path) -> None:
    before = rsprep.open(tiny_dataset).load()
    after = rsprep.open(fill(tiny_dataset, tmp_path / "out", bands="B08").dataset).load()
    assert np.array_equal(after["s2"].sel(s2_band="B02"), before["s2"].sel(s2_band="B02"))
    assert not np.array_equal(after["s2"].sel(s2_band="B08"), before["s2"].sel(s2_band="B08"))
