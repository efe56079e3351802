"""Inputs of the corpora: pictures and data sets are read as they are, or refused by name."""

from __future__ import annotations

import contextlib
import io
import pickle
import shutil
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

import rsprep
from rsprep.corpus import inputs, pictures
from rsprep.corpus.inputs import fingerprint, is_corpus, list_files, listed, open_corpus, slugs
from rsprep.corpus.pictures import picture_size, read_mask, read_picture
from rsprep.errors import InputError, StoreError
from rsprep.multisource import build
from tests.rsprep.job.tiny import write_tiny
from tests.support import real_data

COLOUR = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)


def png(path: Path, values: NDArray[Any], mode: str | None = None) -> Path:
    """Write (bands, y, x) or (y, x) as PNG."""
    flat = np.moveaxis(values, 0, 2) if values.ndim == 3 else values
    image = Image.fromarray(flat)
    (image.convert(mode) if mode else image).save(path)
    return path


def tiff(path: Path, values: NDArray[Any], driver: str = "GTiff", **more: Any) -> Path:
    """Write (bands, y, x) with rasterio; without a place unless `more` gives one."""
    colours = more.pop("colours", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(
            path, "w", driver=driver, count=len(values), height=values.shape[1], width=values.shape[2],
            dtype=values.dtype, **more,
        )  # fmt: skip
    with file:
        if colours:
            file.write_colormap(1, colours)
        file.write(values)
    return path


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_a_tiff_is_read_as_it_was_written(tmp_path: Path, bands: int, dtype: str) -> None:
    values = np.random.default_rng(1).normal(500, 100, (bands, 33, 47)).astype(dtype)
    path = tiff(tmp_path / "a.TIF", values, nodata=7)
    info = picture_size(path)
    assert (info.shape, info.dtype, info.nodata, info.epsg, info.transform) == (values.shape, dtype, 7, None, None)
    assert info.mode == {1: "grey", 3: "rgb" if dtype == "uint8" else "bands", 5: "bands"}[bands]
    read = read_picture(path)
    assert read.dtype == np.dtype(dtype)
    assert read.tobytes() == values.tobytes()
    part = read_picture(path, window=(slice(3, 20), slice(40, 47)))
    assert (part == values[:, 3:20, 40:47]).all()


def test_a_place_is_told(tmp_path: Path) -> None:
    grid = rasterio.Affine(10, 0, 500_000, 0, -10, 5_300_000)
    info = picture_size(tiff(tmp_path / "a.tif", COLOUR, crs="EPSG:32633", transform=grid))
    assert (info.epsg, info.transform, info.windowed) == (32633, grid, True)


@pytest.mark.parametrize(
    ("values", "mode", "told"),
    [
        (COLOUR, None, "rgb"),
        (COLOUR[0], None, "grey"),
        (COLOUR[0].astype("uint16") * 257, None, "grey"),
        (np.concatenate([COLOUR, COLOUR[:1]]), None, "rgba"),
        (COLOUR[:2], None, "grey-alpha"),
    ],
    ids=["rgb", "grey", "grey16", "rgba", "grey-alpha"],
)
def test_a_png_is_read_as_it_was_written(tmp_path: Path, values: NDArray[Any], mode: str | None, told: str) -> None:
    path = png(tmp_path / "a.png", values, mode)
    whole = values if values.ndim == 3 else values[None]
    info = picture_size(path)
    assert (info.shape, info.dtype, info.mode) == (whole.shape, str(whole.dtype), told)
    assert (read_picture(path) == whole).all()
    assert (read_picture(path, window=(slice(2, 5), slice(0, 9))) == whole[:, 2:5, :9]).all()


def test_sixteen_bits_of_colour_are_not_halved(tmp_path: Path) -> None:
    """Pillow reads such a PNG as 8 bits and says nothing."""
    values = COLOUR.astype("uint16") * 251
    tiff(tmp_path / "a.png", values, "PNG")
    assert picture_size(tmp_path / "a.png").dtype == "uint16"
    assert (read_picture(tmp_path / "a.png") == values).all()


def test_a_palette_is_told_and_only_shown_on_request(tmp_path: Path) -> None:
    codes = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    image = Image.new("P", (3, 2))
    image.putdata(codes.reshape(-1).tolist())
    image.putpalette([10, 20, 30, 0, 200, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    info = picture_size(tmp_path / "a.png")
    assert info.mode == "palette"
    assert info.palette is not None
    assert info.palette[:3] == ((10, 20, 30), (0, 200, 0), (0, 0, 255))
    assert (read_picture(tmp_path / "a.png") == codes).all()
    assert read_picture(tmp_path / "a.png", colours=True)[:, 0, 1].tolist() == [0, 200, 0]


def test_a_palette_of_a_tiff_is_told(tmp_path: Path) -> None:
    codes = np.array([[[0, 1], [1, 0]]], np.uint8)
    tiff(tmp_path / "a.tif", codes, colours={0: (1, 2, 3), 1: (255, 0, 0)})
    info = picture_size(tmp_path / "a.tif")
    assert info.mode == "palette"
    assert info.palette is not None
    assert info.palette[:2] == ((1, 2, 3), (255, 0, 0))
    assert read_picture(tmp_path / "a.tif", colours=True)[:, 0, 1].tolist() == [255, 0, 0]


def test_a_turned_photograph_stays_as_it_is_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # show it turned by 90°
    Image.fromarray(np.moveaxis(COLOUR, 0, 2)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert picture_size(tmp_path / "a.jpg").shape == read_picture(tmp_path / "a.jpg").shape == (3, 20, 30)


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    png(tmp_path / "a.png", COLOUR).rename(tmp_path / "a.jpg")
    assert picture_size(tmp_path / "a.jpg").format == "PNG"


def test_jpegs_of_the_real_kind() -> None:
    files = list_files(real_data("rsscn7") / "train", [".jpg"])
    assert len(files) == 1400
    assert [path.parent.name for path in (files[0], files[-1])] == ["aGrass", "gParking"]
    assert picture_size(files[0]).shape == read_picture(files[0]).shape == (3, 256, 256)


def test_scenes_of_the_real_kind() -> None:
    folder = real_data("scenes-lulc4")
    info = picture_size(list_files(folder, [".tif"])[0])
    assert (info.dtype, info.epsg) == ("uint8", None)


# -- masks ----------------------------------------------------------------------------------------


MASK = (COLOUR[0] > 128).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 255])
def test_masks_of_zeros_and_ones(tmp_path: Path, scale: int) -> None:
    assert (read_mask(png(tmp_path / "a.png", MASK * np.uint8(scale))) == MASK).all()


def test_masks_of_one_bit_and_of_colours(tmp_path: Path) -> None:
    assert (read_mask(png(tmp_path / "a.png", MASK * np.uint8(255), "1")) == MASK).all()
    assert picture_size(tmp_path / "a.png").mode == "bits"
    assert (read_mask(png(tmp_path / "b.png", MASK * np.uint8(255), "RGB")) == MASK).all()
    image = Image.new("P", (MASK.shape[1], MASK.shape[0]))
    image.putdata(MASK.reshape(-1).tolist())
    image.putpalette([255, 255, 255, 0, 0, 0])  # code 0 is white: the colour counts, not the code
    image.save(tmp_path / "c.png")
    assert (read_mask(tmp_path / "c.png") == 1 - MASK).all()


@pytest.mark.parametrize(
    ("values", "slug"),
    [
        (MASK * np.uint8(2), "mask-values"),
        (np.where(MASK, 255, 1).astype(np.uint8), "mask-values"),
        (COLOUR[0], "mask-values"),
        (COLOUR, "mask-bands"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, values: NDArray[np.uint8], slug: str) -> None:
    with pytest.raises(InputError) as error:
        read_mask(png(tmp_path / "a.png", values))
    assert error.value.slug == slug
    assert "a.png" in str(error.value)


# -- damage ---------------------------------------------------------------------------------------


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.moveaxis(COLOUR, 0, 2)).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.95])
def test_a_cut_file_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    whole = encoded(kind)
    (tmp_path / "a.png").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError) as error:
        read_picture(tmp_path / "a.png")
    assert error.value.slug in ("corrupt-picture", "unsupported-picture")


@settings(max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_png_with_a_changed_byte_never_gives_other_pixels(
    tmp_path_factory: pytest.TempPathFactory, place: float, bits: int
) -> None:
    damaged = bytearray(encoded("PNG"))
    damaged[int(place * len(damaged))] ^= bits
    path = tmp_path_factory.getbasetemp() / "flipped.png"
    path.write_bytes(damaged)
    try:
        read = read_picture(path)
    except InputError:
        return
    assert (read == COLOUR).all()


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_the_checksums_of_a_png_are_looked_at(tmp_path: Path) -> None:
    """A decoder has all rows before it meets the sum over them, if that comes in a chunk of its own."""
    rows = b"".join(b"\0" + bytes([row] * 30) for row in range(20))
    packed = zlib.compress(rows, 0)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 0, 0, 0, 0))
    pixels, total = chunk(b"IDAT", packed[:-4]), chunk(b"IDAT", packed[-4:])
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + total + chunk(b"IEND", b""))
    assert (read_picture(path)[0] == np.arange(20)[:, None]).all()
    damaged = bytearray(pixels)
    damaged[-6] ^= 1
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + damaged + total + chunk(b"IEND", b""))
    with pytest.raises(InputError, match="corrupt-picture"):
        read_picture(path)


@settings(max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), kind=st.sampled_from(["JPEG", "TIFF"]))
def test_damage_of_any_kind_raises_nothing_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, place: float, bits: int, kind: str
) -> None:
    damaged = bytearray(encoded(kind))
    damaged[int(place * min(len(damaged), 400))] ^= bits
    path = tmp_path_factory.getbasetemp() / "damaged.tif"
    path.write_bytes(damaged)
    with contextlib.suppress(InputError):
        read_picture(path)


def test_a_cut_tiff_is_refused(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.random.default_rng(0).integers(0, 9999, (4, 200, 200), np.uint16))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(InputError, match="corrupt-picture"):
        read_picture(path)


def bomb(side: int) -> bytes:
    """A PNG of `side` × `side` pixels that is a few bytes long."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_600, 12_000, 60_000])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "a.png").write_bytes(bomb(side))
    for read in (picture_size, read_picture):
        with pytest.raises(InputError, match="picture-too-large"):
            read(tmp_path / "a.png")


def test_a_huge_tiff_is_read_in_parts_only(tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=60_000, width=60_000, count=1, dtype="uint8", tiled=True,
        sparse_ok=True, crs="EPSG:32633", transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
    ):  # fmt: skip
        pass
    with pytest.raises(InputError, match="picture-too-large"):
        read_picture(tmp_path / "a.tif")
    assert read_picture(tmp_path / "a.tif", window=(slice(0, 256), slice(0, 256))).shape == (1, 256, 256)


def test_a_file_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    png(tmp_path / "a.png", COLOUR)
    (tmp_path / "a.tif").write_text(
        '<VRTDataset rasterXSize="30" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">a.png</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    with pytest.raises(InputError, match="unsupported-picture"):
        read_picture(tmp_path / "a.tif")


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.moveaxis(COLOUR, 0, 2)).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="CMYK"):
        picture_size(tmp_path / "a.jpg")
    Image.fromarray(np.moveaxis(COLOUR, 0, 2)).save(tmp_path / "b.png", "GIF")
    with pytest.raises(InputError, match="unsupported-picture"):
        picture_size(tmp_path / "b.png")
    with pytest.raises(InputError, match="unsupported-picture"):
        picture_size(tiff(tmp_path / "c.tif", COLOUR.astype("complex64")))
    with pytest.raises(InputError, match="no-such-picture"):
        picture_size(tmp_path / "d.png")


def test_greys_of_four_bits_are_refused(tmp_path: Path) -> None:
    data = bytearray(bomb(8))
    data[24:26] = bytes([4, 0])
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match="unsupported-picture"):
        picture_size(tmp_path / "a.png")


# -- folders --------------------------------------------------------------------------------------


def test_files_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/10.png", "a/x.png", "c.png", ".hidden.png", ".thumbs/a.png", "notes.txt", "d.png/e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    names = [str(path.relative_to(tmp_path)) for path in list_files(tmp_path, [".png"])]
    assert names == ["a/x.png", "b/10.png", "b/2.PNG", "c.png"]
    assert list_files(tmp_path / "c.png", [".png"]) == [tmp_path / "c.png"]
    assert listed(names) == "a/x.png, b/10.png, b/2.PNG, c.png"
    assert listed(str(n) for n in range(1205)) == "0, 1, 2, 3, 4 and 1,200 more"


def test_names_of_chips_are_plain_and_distinct() -> None:
    found = slugs(["a/b", "a-b", "A/é", "ok_1.2", "...", "x" * 400])
    assert found["ok_1.2"] == "ok_1.2"
    assert found["A/é"] == "A"
    assert found["..."] == "image"
    assert found["a/b"] != found["a-b"]
    assert len({slug.lower() for slug in found.values()}) == len(found)
    assert slugs(["a/b"]) == {"a/b": "a-b"}
    assert all(len(slug) < 190 for slug in found.values())


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="input/not-found"):
        list_files(tmp_path / "absent", [".png"])
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match="input/empty-folder"):
        list_files(tmp_path, [".png"])


def test_the_fingerprint_knows_names_sizes_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(inputs, "_PART_BYTES", 100)
    for folder in ("one", "two"):
        (tmp_path / folder / "sub").mkdir(parents=True)
        (tmp_path / folder / "sub" / "a").write_bytes(b"abc")
        (tmp_path / folder / "b").write_bytes(bytes(5000))

    def of(folder: str) -> str:
        root = tmp_path / folder
        return fingerprint([path for path in root.rglob("*") if path.is_file()], root)

    first = of("one")
    assert len(first) == 64
    assert of("two") == first
    (tmp_path / "two" / "b").write_bytes(bytes(4999) + b"x")
    assert of("two") != first
    (tmp_path / "two" / "b").write_bytes(bytes(5001))
    assert of("two") != first
    (tmp_path / "two" / "b").write_bytes(bytes(5000))
    (tmp_path / "two" / "sub" / "a").write_bytes(b"abd")
    assert of("two") != first
    (tmp_path / "two" / "sub" / "a").write_bytes(b"abc")
    (tmp_path / "two" / "sub" / "a").rename(tmp_path / "two" / "sub" / "c")
    assert of("two") != first
    assert fingerprint([tmp_path / "one" / "b"], tmp_path / "one" / "b")


# -- data sets ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small multi-source data set: land cover and terrain, the cheapest layers."""
    folder = tmp_path_factory.mktemp("inputs")
    source = write_tiny(folder / "source", side_px=128)
    return build(source.settings(folder, layers=["lulc", "terrain"])).dataset


def test_a_data_set_is_read_as_it_is(dataset: Path) -> None:
    assert is_corpus(dataset)
    assert is_corpus(dataset / "chips.zarr")
    corpus = open_corpus(dataset)
    chips = rsprep.open(dataset)
    assert list(corpus.chip_ids) == chips["chip_id"].to_numpy().tolist()
    assert list(corpus.splits) == chips["split"].to_numpy().tolist()
    assert len(corpus) > 4
    again = pickle.loads(pickle.dumps(corpus))  # noqa: S301  # our own bytes
    for index in (0, len(corpus) - 1):
        assert (again.read("lulc", index) == chips["lulc"][index].to_numpy()).all()
    assert corpus.require("lulc") is corpus
    assert corpus.dataset["lon"].shape == (len(corpus),)


def test_the_fingerprint_of_a_data_set_is_that_of_its_pixels(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "elsewhere")
    assert open_corpus(tmp_path / "elsewhere").fingerprint == open_corpus(dataset).fingerprint
    index = tmp_path / "elsewhere" / "items.parquet"
    table = pq.read_table(index)
    digests = pa.array(["0" * 32, *table["rsprep:digest"].to_pylist()[1:]])
    pq.write_table(table.set_column(table.schema.get_field_index("rsprep:digest"), "rsprep:digest", digests), index)
    assert open_corpus(tmp_path / "elsewhere").fingerprint != open_corpus(dataset).fingerprint


def test_what_is_no_data_set_is_refused(dataset: Path, tmp_path: Path) -> None:
    assert not is_corpus(tmp_path)
    with pytest.raises(StoreError):
        open_corpus(tmp_path)
    with pytest.raises(InputError, match="no-variable"):
        open_corpus(dataset).require("s2")
    shutil.copytree(dataset, tmp_path / "torn")
    (tmp_path / "torn" / "items.parquet").unlink()
    with pytest.raises(StoreError, match="no-index"):
        open_corpus(tmp_path / "torn")


def test_pictures_keep_to_their_cap() -> None:
    assert pictures.MAX_PIXELS == Image.MAX_IMAGE_PIXELS
