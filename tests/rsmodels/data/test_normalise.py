"""Statistics come from train chips alone; values go to the network and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import rsprep
from rsmodels.data import fit
from rsmodels.data.fields import IGNORE, Field
from rsmodels.data.fit import Normalise, Scaling
from rsmodels.data.normalise import Normaliser
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from tests.rsmodels.conftest import BANDS, CLASSES, SIDE, build_tiny

NAMES = ("image", "landcover", "radar", "terrain")


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


@pytest.fixture(scope="module")
def normaliser(source: ChipSource) -> Normaliser:
    return Normaliser.fit([source], fields_of(source))


def fields_of(source: ChipSource) -> list[Field]:
    return [*(field(source, name) for name in NAMES), field(source, "clear", "s2_valid")]


def stored(source: ChipSource, name: str, split: str = "train") -> NDArray[Any]:
    """All chips of a split, read by the package that wrote them."""
    dataset = rsprep.open(source.path)
    values: NDArray[Any] = dataset[name].to_numpy()[dataset["split"].to_numpy() == split]
    return values


def optical_valid(source: ChipSource, split: str = "train") -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = (stored(source, "s2", split) != -32768).all(axis=1)
    return valid & (stored(source, "s2_valid", split) == 1)


def test_statistics_are_those_of_the_train_chips(source: ChipSource, normaliser: Normaliser) -> None:
    bands = np.moveaxis(stored(source, "s2"), 1, -1)[optical_valid(source)]
    low, high = np.percentile(bands, [0.1, 99.9], axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(normaliser["image"].low, low)
    np.testing.assert_array_equal(normaliser["image"].high, high)
    radar = stored(source, "s1").astype(np.float64)
    mean, spread = np.nanmean(radar, axis=(0, 2, 3)), np.nanstd(radar, axis=(0, 2, 3))
    np.testing.assert_allclose(normaliser["radar"].low, mean, rtol=1e-9)
    np.testing.assert_allclose(normaliser["radar"].high, mean + spread, rtol=1e-9)
    ground = stored(source, "terrain")[:, :2].astype(np.float64)
    np.testing.assert_allclose(normaliser["terrain"].low, np.nanmean(ground, axis=(0, 2, 3)), rtol=1e-9)
    classes = stored(source, "lulc")
    np.testing.assert_array_equal(
        normaliser.class_counts("landcover"), np.bincount(classes[classes != 255], minlength=CLASSES)
    )


def test_held_out_chips_move_nothing(source: ChipSource, normaliser: Normaliser, tmp_path: Path) -> None:
    absurd = ChipSource.open(build_tiny(tmp_path / "absurd", absurd=True))
    assert np.nanmax(stored(absurd, "s1", "test")) > 1e5
    np.testing.assert_array_equal(stored(absurd, "s2"), stored(source, "s2"))
    assert Normaliser.fit([absurd], fields_of(absurd)) == normaliser
    for split in ("val", "test", "all"):
        with pytest.raises(ModelError, match="model/fitted-on-held-out"):
            Normaliser.fit([source], fields_of(source), split=split)


def test_at_most_so_many_chips_are_read(source: ChipSource, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Counted(ChipFields):
        def read(self, slot: int) -> Any:
            read.append(slot)
            return super().read(slot)

    monkeypatch.setattr(fit, "ChipFields", Counted)
    some = [field(source, "image")]
    first = Normaliser.fit([source, source], some, most=5, seed=1)
    chosen = list(read)
    assert len(chosen) == 5
    assert set(chosen) <= set(source.of_split("train").tolist())
    assert Normaliser.fit([source, source], some, most=5, seed=1) == first
    Normaliser.fit([source, source], some, most=5, seed=2)
    assert read[5:10] == chosen
    assert read[10:] != chosen


def test_it_is_stored_and_loaded(normaliser: Normaliser) -> None:
    record = json.loads(json.dumps(normaliser.to_json(), allow_nan=False))
    assert Normaliser.from_json(record) == normaliser
    assert normaliser.fields == tuple(normaliser.field(one.name) for one in normaliser.fields)
    with pytest.raises(ModelError, match="model/normaliser-version"):
        Normaliser.from_json(record | {"version": 2})
    with pytest.raises(ModelError, match="model/no-such-field"):
        normaliser.channels("depth")


def test_channels(normaliser: Normaliser) -> None:
    found = {one.name: normaliser.channels(one.name) for one in normaliser.fields}
    assert found == {"image": 4, "landcover": CLASSES, "radar": 2, "terrain": 5, "clear": 1}


@pytest.mark.parametrize("curve", ["root", "linear"])
def test_optical(source: ChipSource, curve: Any) -> None:
    normaliser = Normaliser.fit([source], [field(source, "image")], how=Normalise(curve=curve))
    raw, clear = stored(source, "s2"), stored(source, "s2_valid")
    values, valid = normaliser.encode("image", raw, clear)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(valid[:, 0], optical_valid(source))
    assert not valid.all()
    low, high = (np.array(one)[:, None, None] for one in (normaliser["image"].low, normaliser["image"].high))
    share = (raw - low) / (high - low)
    expected = 2 * (np.sign(share) * np.sqrt(abs(share)) if curve == "root" else share) - 1
    np.testing.assert_allclose(values, np.where(valid, expected, 0), atol=2e-4)
    assert np.isfinite(values).all()
    assert (values > 1).any()  # nothing is cut off
    assert (values < -1).any()
    back = normaliser.to_store("image", torch.from_numpy(values), torch.from_numpy(valid))
    assert back.dtype == np.int16
    known = np.broadcast_to(valid, raw.shape)
    np.testing.assert_array_equal(back[known], raw[known])
    assert (back[~known] == -32768).all()
    reflectance = normaliser.physical("image", torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(reflectance[known], raw[known] * 1e-4, atol=2e-6)
    unit = normaliser.unit("image", torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(unit, np.clip(values / 2 + 0.5, 0, 1), atol=1e-6)
    without, all_valid = normaliser.encode("image", raw)
    np.testing.assert_array_equal(all_valid[:, 0], (raw != -32768).all(axis=1))
    assert np.isfinite(without).all()


def test_the_root_gives_dark_land_its_room() -> None:
    """Land of 0.02 to 0.1 below snow of 0.8: a tenth of the range when linear, a third with the root."""

    def spread(curve: Any) -> float:
        one = Field(name="image", variable="s2", kind="optical", bands=("B02",))
        scaling = Scaling(
            field=one, dtype="int16", fill=-32768, nodata=-32768, low=(100.0,), high=(8000.0,), curve=curve
        )
        values, _ = Normaliser(scalings={"image": scaling}).encode(
            "image", np.array([[[[200, 1000], [1001, 8000]]]], np.int16)
        )
        dark, land, brighter, snow = values.ravel()
        assert dark < land < brighter < snow
        return float(land - dark)

    assert spread("linear") < 0.21
    assert spread("root") > 0.4


@given(st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4), st.sampled_from(["root", "linear"]))
def test_any_value_comes_back_and_order_is_kept(values: list[float], curve: Any) -> None:
    one = Field(name="image", variable="s2", kind="optical", bands=("B02",))
    scaling = Scaling(field=one, dtype="float32", fill=0, nodata=None, low=(0.0,), high=(1.0,), curve=curve)
    normaliser = Normaliser(scalings={"image": scaling})
    wanted = torch.tensor(sorted(values)).reshape(1, 1, 2, 2)
    physical = normaliser.physical("image", wanted)
    assert (physical.diff(dim=-1) >= 0).all()
    encoded, valid = normaliser.encode("image", physical.numpy())
    assert valid.all()
    np.testing.assert_allclose(encoded, wanted.numpy(), atol=2e-3 if curve == "root" else 1e-5)


def test_radar(source: ChipSource, normaliser: Normaliser) -> None:
    raw = stored(source, "s1")
    values, valid = normaliser.encode("radar", raw)
    np.testing.assert_array_equal(valid[:, 0], np.isfinite(raw).all(axis=1))
    assert not valid.all()
    assert np.isfinite(values).all()
    known = np.moveaxis(values, 1, -1)[valid[:, 0]]
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(known.std(axis=0), 1, atol=1e-3)
    back = normaliser.physical("radar", torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(np.where(valid, back, 0), np.where(valid, raw, 0), atol=1e-4)
    infinite = raw[:1].copy()
    infinite[0, 0, 4, 4] = -np.inf  # no power at all
    values, valid = normaliser.encode("radar", infinite)
    assert not valid[0, 0, 4, 4]
    assert np.isfinite(values).all()
    stored_again = normaliser.to_store("radar", torch.from_numpy(values), torch.from_numpy(valid))
    assert np.isnan(stored_again[0, :, 4, 4]).all()


def test_terrain(source: ChipSource, normaliser: Normaliser) -> None:
    raw = stored(source, "terrain")
    values, valid = normaliser.encode("terrain", raw)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(valid[:, 0], np.isfinite(raw[:, [0, 1, 3]]).all(axis=1))
    assert not valid.all()
    flat = np.isnan(raw[:, 2]) & valid[:, 0]
    assert flat.any()
    assert (np.moveaxis(values, 1, -1)[flat][:, 2:4] == 0).all()
    length = np.hypot(values[:, 2], values[:, 3])
    np.testing.assert_allclose(length[valid[:, 0] & ~flat], 1, atol=1e-5)
    assert abs(values[:, 4]).max() <= 1
    back = normaliser.to_store("terrain", torch.from_numpy(values), torch.from_numpy(valid))
    keep = np.broadcast_to(valid, raw.shape) & np.isfinite(raw)
    np.testing.assert_allclose(back[keep], raw[keep], atol=0.01)
    np.testing.assert_array_equal(np.isnan(back), ~keep)


def test_classes(source: ChipSource, normaliser: Normaliser) -> None:
    raw = stored(source, "lulc")
    values, valid = normaliser.encode("landcover", raw)
    assert values.dtype == np.int64
    np.testing.assert_array_equal(values, np.where(raw == 255, IGNORE, raw))
    np.testing.assert_array_equal(valid[:, 0], raw != 255)
    np.testing.assert_array_equal(normaliser.to_store("landcover", torch.from_numpy(values)), raw)
    # Codes in another order, one of them in no class, in another type.
    one = Field(name="label", variable="m", kind="classes", classes=("a", "b", "c"), codes=(300, 7, 40))
    scaling = Scaling(field=one, dtype="int16", fill=-1, nodata=-1)
    odd = Normaliser(scalings={"label": scaling})
    codes = np.array([[[40, 300], [7, 8]], [[-1, 301], [0, 32767]]], np.int16)
    indices, known = odd.encode("label", codes)
    assert indices.tolist() == [[[2, 0], [1, IGNORE]], [[IGNORE, IGNORE], [IGNORE, IGNORE]]]
    assert known.sum() == 3
    assert odd.to_store("label", torch.from_numpy(indices)).tolist() == [[[40, 300], [7, -1]], [[-1, -1], [-1, -1]]]


def test_masks(source: ChipSource, normaliser: Normaliser) -> None:
    raw = stored(source, "s2_valid")
    values, valid = normaliser.encode("clear", raw)
    np.testing.assert_array_equal(values[:, 0], raw)
    assert valid.all()
    back = normaliser.to_store("clear", torch.from_numpy(values))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, raw)
    for ask in (normaliser.stored, normaliser.physical):
        with pytest.raises(ModelError, match="model/not-an-image"):
            ask("clear", torch.from_numpy(values))
    with pytest.raises(ModelError, match="model/not-optical"):
        normaliser.unit("radar", torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", None), ("uint8", 0.0), ("int16", -32768.0), ("uint16", 7.0)])
def test_what_does_not_fit_is_held_before_the_cast(dtype: str, nodata: float | None) -> None:
    one = Field(name="image", variable="image", kind="optical", bands=("R",))
    scaling = Scaling(field=one, dtype=dtype, fill=nodata or 0, nodata=nodata, low=(0.0,), high=(255.0,))
    values = torch.tensor([-1e6, -1.0, 7 / 127.5 - 1, 0.0, 1.0, 1e6]).reshape(1, 1, 2, 3)
    out = Normaliser(scalings={"image": scaling}).to_store("image", values).ravel()
    assert out.dtype == np.dtype(dtype)
    info = np.iinfo(dtype)
    assert out[0] == info.min + (nodata == info.min)
    assert out[-1] == info.max
    assert (np.diff(out.astype(np.int64)) >= 0).all()
    assert nodata not in out.tolist()


class FakeReader:
    """A store that holds one variable of floats."""

    def __init__(self, source: ChipSource, fields: Any) -> None:
        self.rng = np.random.default_rng(source.schema.slots_per_shard)

    def read(self, slot: int) -> Any:
        return {"image": np.random.default_rng(slot).normal(0.2, 0.05, (4, SIDE, SIDE)).astype(np.float32)}, {}


def test_optical_floats(source: ChipSource, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = replace(source.schema["s2"], dtype="float32", fill=float("nan"))
    floats = replace(source, schema=replace(source.schema, variables=(variable,)))
    monkeypatch.setattr(fit, "ChipFields", FakeReader)
    found = Normaliser.fit([floats], [field(floats, "image")])["image"]
    slots = source.of_split("train").tolist()
    pixels = np.concatenate([FakeReader(source, ()).read(slot)[0]["image"].reshape(4, -1) for slot in slots], axis=1)
    np.testing.assert_allclose(found.low, np.percentile(pixels, 0.1, axis=1, method="inverted_cdf"), atol=2e-5)
    np.testing.assert_allclose(found.high, np.percentile(pixels, 99.9, axis=1, method="inverted_cdf"), atol=2e-5)


def test_bands_without_pixels_or_without_contrast(source: ChipSource, monkeypatch: pytest.MonkeyPatch) -> None:
    def fitted(value: int, name: str) -> Scaling:
        class Same(FakeReader):
            def read(self, slot: int) -> Any:
                image = np.full((len(BANDS), SIDE, SIDE), value, np.int16)
                radar = np.full((2, SIDE, SIDE), np.nan if value < 0 else value, np.float32)
                return {"image": image, "radar": radar}, {}

        monkeypatch.setattr(fit, "ChipFields", Same)
        return Normaliser.fit([source], [field(source, name)])[name]

    assert fitted(500, "image").low == (500.0,) * 4
    assert fitted(500, "image").high == (501.0,) * 4
    assert fitted(3, "radar").high == (4.0, 4.0)
    for name in ("image", "radar"):
        with pytest.raises(ModelError, match="model/no-valid-pixels"):
            fitted(-32768, name)


def test_no_chips_and_unlike_data_sets_are_named(source: ChipSource) -> None:
    nothing = ChipSource.open(source.path, splits=["val"])
    with pytest.raises(ModelError, match="model/no-chips"):
        Normaliser.fit([nothing], [field(source, "image")])
    other = replace(source, schema=replace(source.schema, chip_px=64))
    with pytest.raises(ModelError, match="model/unlike-data-sets"):
        Normaliser.fit([source, other], [field(source, "image")])


def test_a_normaliser_is_for_what_it_was_fitted_for(source: ChipSource, normaliser: Normaliser) -> None:
    image = field(source, "image")
    normaliser.check(image, [source])
    with pytest.raises(ModelError, match="model/unlike-data-sets"):
        normaliser.check(field(source, "image", bands=["B08"]), [source])
    scaled = replace(source.schema["s2"], attrs={**source.schema["s2"].attrs, "scale": 1.0})
    others = tuple(scaled if one.name == "s2" else one for one in source.schema.variables)
    with pytest.raises(ModelError, match="model/unlike-data-sets"):
        normaliser.check(image, [replace(source, schema=replace(source.schema, variables=others))])


def test_one_range_for_all_bands_keeps_colours(source: ChipSource) -> None:
    image = field(source, "image")
    apart, one = (
        Normaliser.fit([source], [image], how=Normalise(curve="linear", together=together))["image"]
        for together in (False, True)
    )
    assert len(set(apart.low)) > 1
    assert set(one.low) == {min(apart.low)}
    assert set(one.high) == {max(apart.high)}


def test_eight_bit_images_can_run_over_all_levels(source: ChipSource, monkeypatch: pytest.MonkeyPatch) -> None:
    how = Normalise(curve="linear", whole=True)
    image = field(source, "image")
    wide = Normaliser.fit([source], [image], how=how)["image"]
    assert wide == Normaliser.fit([source], [image], how=Normalise(curve="linear"))["image"]
    bare = replace(wide, dtype="uint8", nodata=None)
    monkeypatch.setattr("rsmodels.data.fit.bare_scaling", lambda field, source: bare)
    found = Normaliser.fit([source], [image], how=how)["image"]
    assert (set(found.low), set(found.high)) == ({0.0}, {255.0})
