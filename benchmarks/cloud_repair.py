"""Real clouds: chips of a time series repaired where the scene classification says cloud, held against clear dates.

    python benchmarks/cloud_repair.py prepare SERIES WORK --masks SEEDS
    rsmodels train inpaint --preset tiny,baseline-b --bands B04,B08 --data WORK/pairs --out RUN
    python benchmarks/cloud_repair.py measure WORK --checkpoint RUN

SERIES is a static catalog of many dates of one place (catalog.json, roi.geojson). ``prepare`` builds every date by
itself and makes occlusion pairs of the chips that are wholly clear. The west of the place is for training and
validation, the east, `EAST` of its columns, is the test: no pixel that is repaired and counted lies on ground that the
network has seen on any date.

``measure`` fills each date with the checkpoint and with OpenCV's methods and compares filled pixels with the nearest
date, in days, on which they are clear and which is at most `MOST_DAYS` away. Fields change between dates, so an
error of nothing is not to be had: "the ground itself" tells how far pixels that are clear on both dates are apart, in
the same chips. "Last clear date" is what a user without an inpainter would do: it fills from the nearest clear date on
the other side, earlier for later and later for earlier. Scene classes miss the rims and shadows of clouds, and whatever
fills a hole takes them for the ground; ``--grow`` hides them, too. Counted are the pixels of SCL's clouds alone, of
chips of which, grown, no more than `MOST` is hidden: fewer chips with more of it.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

import rsmodels
import rsprep
from rsmodels.report.page import PanelsSection, TableSection, write_page

BANDS = ("B04", "B08")
CHIP = 64
EAST = 0.35
VALIDATION = 0.1
MOST_DAYS = 20
FEWEST, MOST = 0.03, 0.6
"""Least and largest hidden share of a chip that is repaired and counted."""
SHOWN = 10
NODATA = -32768
METHODS = ("telea", "navier-stokes")
Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """All dates of the place, chip by chip."""

    days: list[date]
    values: dict[str, Array]
    """Chip to (dates, bands, y, x) digital numbers, `NODATA` where a date is not clear."""
    columns: dict[str, float]
    """Chip to its west edge, metres."""

    @property
    def border(self) -> float:
        """Metres east of which the test is."""
        edges = sorted(set(self.columns.values()))
        return edges[round((1 - EAST) * len(edges))]


def main() -> None:
    """Prepare or measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    prepare_args = verbs.add_parser("prepare", help="build every date, make pairs of what is clear")
    prepare_args.add_argument("series", type=Path)
    prepare_args.add_argument("work", type=Path)
    prepare_args.add_argument("--masks", type=Path, required=True, help="data set of cloud-masks")
    measure_args = verbs.add_parser("measure", help="fill every date, compare with the nearest clear one")
    measure_args.add_argument("work", type=Path)
    measure_args.add_argument("--checkpoint", action="append", required=True, help="run of an inpainter; repeatable")
    measure_args.add_argument(
        "--grow", type=int, default=0, help="pixels by which clouds are grown before they are filled"
    )
    given = parser.parse_args()
    if given.verb == "prepare":
        prepare(given.series, given.work, given.masks)
    else:
        measure(given.work, given.checkpoint, given.grow)


# Prepare


def prepare(series: Path, work: Path, masks: Path) -> None:
    """Build dates, write clear chips as GeoTIFFs, hide parts of them."""
    collection = series / "sentinel-2-l2a"
    days = sorted({date.fromisoformat(_day(folder.name)) for folder in collection.glob("S2*")})
    for day in days:
        rsprep.build(
            {
                "aoi": str(series / "roi.geojson"),
                "out": str(work / "dates" / day.isoformat()),
                "catalog": str(work / "catalog"),
                "source": "planetary-computer",
                "endpoint": str(series / "catalog.json"),
                "start": day.isoformat(),
                "end": day.isoformat(),
                "layers": ["s2"],
                "sentinel2": {"bands": list(BANDS)},
                "grid": {"chip_size": CHIP, "partial": "keep"},
            }
        )
    stack = read_stack(work)
    pictures = work / "clear"
    pictures.mkdir(parents=True, exist_ok=True)
    with (work / "splits.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "split"))
        for name, split, values, west in _clear(stack):
            _write(pictures / f"{name}.tif", values, west)
            rows.writerow((f"{name}.tif", split))
    rsprep.occlude(
        {
            "images": str(pictures),
            "masks": str(masks),
            "out": str(work / "pairs"),
            "catalog": str(work / "catalog"),
            "size": CHIP,
            "bands": "any",
            "place": "random",
            "split": "file",
            "split_file": str(work / "splits.csv"),
            "mask_split": "hash",
            "fill": 10_000,
        }
    )


def _day(granule: str) -> str:
    """20180406 of S2A_MSIL2A_20180406T100031_..., as 2018-04-06."""
    digits = granule.split("_")[2]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"


def _clear(stack: Stack) -> Iterator[tuple[str, str, Array, float]]:
    """Name, split, values and west edge of chips that are clear throughout; all dates of a place in one split."""
    rng = np.random.default_rng(0)
    for chip in sorted(stack.values):
        draw = rng.random()
        split = "test" if stack.columns[chip] >= stack.border else "val" if draw < VALIDATION else "train"
        for day, values in zip(stack.days, stack.values[chip], strict=True):
            if (values != NODATA).all():
                yield f"{day.isoformat()}_{chip}", split, values, stack.columns[chip]


def _write(path: Path, values: Array, west: float) -> None:
    profile = {"driver": "GTiff", "count": len(BANDS), "height": CHIP, "width": CHIP, "dtype": "int16"}
    with rasterio.open(path, "w", transform=Affine(10, 0, west, 0, -10, 0), crs="EPSG:32633", **profile) as file:
        file.write(values)
        file.descriptions = BANDS


def read_stack(work: Path) -> Stack:
    """The dates that ``prepare`` built."""
    folders = sorted((work / "dates").iterdir())
    values: dict[str, list[Array]] = defaultdict(list)
    columns: dict[str, float] = {}
    empty = np.full((len(BANDS), CHIP, CHIP), NODATA, np.int16)
    for number, folder in enumerate(folders):
        chips = rsprep.open(folder).load()
        for at, chip in enumerate(chips.chip_id.values.tolist()):
            clear = (chips.s2_valid.values[at] == 1)[None]
            values[chip].extend([empty] * (number - len(values[chip])))
            values[chip].append(np.where(clear, chips.s2.values[at], NODATA))
            columns[chip] = float(chips.x_origin.values[at])
    for dates in values.values():
        dates.extend([empty] * (len(folders) - len(dates)))
    days = [date.fromisoformat(folder.name) for folder in folders]
    return Stack(days=days, values={chip: np.stack(dates) for chip, dates in values.items()}, columns=columns)


# Measure


def measure(work: Path, checkpoints: list[str], grow: int) -> None:
    """Fill, compare, print a table, write ``cloud-repair.json`` and ``cloud-repair.html`` into `work`."""
    stack = read_stack(work)
    # the pairs were digital numbers in plain files, as those of the dates are
    fillers: dict[str, dict[str, Any]] = {Path(one).name: {"checkpoint": one, "scale": 1.0} for one in checkpoints}
    fillers |= {name: {"method": name} for name in METHODS}
    filled = {name: _filled(work, stack, f"{name}-{grow}", {**given, "grow": grow}) for name, given in fillers.items()}
    errors: dict[str, list[Array]] = defaultdict(list)
    shown: list[tuple[str, float, dict[str, Array]]] = []
    for chip, every in sorted(stack.values.items()):
        if stack.columns[chip] < stack.border:
            continue
        for number, day in enumerate(stack.days):
            made = {name: dates[number][chip] for name, dates in filled.items() if chip in dates[number]}
            if len(made) < len(filled):
                continue
            now, near, back = every[number], *nearest(every, stack.days, number)
            hidden = (now == NODATA).any(axis=0)
            counted = hidden & (near != NODATA).all(axis=0) & (back != NODATA).all(axis=0)
            both = ~hidden & (near != NODATA).all(axis=0)
            if not counted.any():
                continue
            for name, values in ({"last clear date": back} | made).items():
                errors[name].append(_apart(values, near)[:, counted])
            errors["the ground itself"].append(_apart(now, near)[:, both])
            shown.append((f"{day} {chip}", float(counted.mean()), {"hidden": now, **made, "nearest clear date": near}))
    figures = {name: _figures(np.concatenate(parts, axis=1)) for name, parts in errors.items()}
    (work / "cloud-repair.json").write_text(json.dumps(figures, indent=1))
    _tell(work, figures, shown)


def _filled(work: Path, stack: Stack, name: str, given: Mapping[str, Any]) -> list[dict[str, Array]]:
    """Of each date, chip to its filled values."""
    found = []
    for day in stack.days:
        out = work / "filled" / name / day.isoformat()
        settings = {"input": str(work / "dates" / day.isoformat()), "out": str(out), "max_hidden": MOST}
        rsmodels.inpaint({**settings, **given, "catalog": str(work / "catalog")})
        chips = rsprep.open(out).load()
        enough = chips.filled_share.values >= FEWEST
        found.append({chip: chips.s2.values[at] for at, chip in enumerate(chips.chip_id.values) if enough[at]})
    return found


def nearest(every: Array, days: list[date], number: int) -> tuple[Array, Array]:
    """Pixel by pixel, the nearest clear date, and the nearest on the other side of `number`; `NODATA` where none is.

    Parameters
    ----------
    every : (dates, bands, y, x) with `NODATA` where not clear.
    days : of the dates, in order.
    number : of the date that is repaired.
    """
    side: dict[int, tuple[Array, Array]] = {}
    for sense in (-1, 1):
        value, apart = np.full_like(every[0], NODATA), np.full(every.shape[-2:], MOST_DAYS + 1)
        others = range(number + sense, len(days) if sense > 0 else -1, sense)
        for other in others:
            gap = abs((days[other] - days[number]).days)
            new = (every[other] != NODATA).all(axis=0) & (gap < apart)
            value[:, new], apart[new] = every[other][:, new], gap
        side[sense] = value, apart
    (before, gap_before), (after, gap_after) = side[-1], side[1]
    earlier = gap_before <= gap_after
    return np.where(earlier, before, after), np.where(earlier, after, before)


def _apart(values: Array, truth: Array) -> Array:
    """Difference of reflectance, (bands, y, x)."""
    difference: Array = (values.astype(np.float64) - truth) / 10_000
    return difference


def _figures(errors: Array) -> dict[str, float]:
    by_band = np.abs(errors).mean(axis=1)
    rms = float(np.sqrt((errors**2).mean()))
    bands = {f"mae_{band}": float(value) for band, value in zip(BANDS, by_band, strict=True)}
    return {"pixels": errors.shape[1], **bands, "rmse": rms, "psnr": -20 * float(np.log10(rms))}


def _tell(work: Path, figures: dict[str, dict[str, float]], shown: list[tuple[str, float, dict[str, Array]]]) -> None:
    """Table on the terminal; page with table and pictures."""
    columns = ("filled from", "pixels", *(f"mean error {band}" for band in BANDS), "RMSE", "PSNR, dB")
    rows = [_row(name, of) for name, of in sorted(figures.items(), key=lambda item: item[1]["rmse"])]
    for row in (columns, *rows):
        print("  ".join(f"{cell:>16}" for cell in row))
    picked = sorted(shown, key=lambda one: -one[1])[:: max(1, len(shown) // SHOWN)][:SHOWN]
    panels = [(f"{caption}\n{100 * share:.0f} % counted", _painted(pictures)) for caption, share, pictures in picked]
    names = tuple(picked[0][2]) if picked else ()
    note = f"Reflectance; against the nearest clear date within {MOST_DAYS} days. NIR shown red, red shown cyan."
    sections = [
        TableSection(title="Errors of filled pixels", header=columns, rows=rows, note=note),
        PanelsSection(title="Repaired chips", columns=names, rows=panels, note="Magenta: hidden."),
    ]
    write_page(work / "cloud-repair.html", "Real clouds repaired", f"{len(shown):,} chips of the east", sections)


def _row(name: str, of: Mapping[str, float]) -> tuple[str, ...]:
    errors = (f"{of[key]:.4f}" for key in (*(f"mae_{band}" for band in BANDS), "rmse"))
    return (name, f"{of['pixels']:,}", *errors, f"{of['psnr']:.2f}")


def _painted(pictures: Mapping[str, Array]) -> list[Array]:
    """All of a row with one stretch, that of the clear date."""
    clear = pictures["nearest clear date"]
    seen = (clear != NODATA).all(axis=0)
    low, high = np.percentile(clear[:, seen], (1, 99), axis=1)[..., None, None]
    painted = []
    for values in pictures.values():
        empty = (values == NODATA).any(axis=0)
        red, nir = np.clip((values - low) / np.maximum(high - low, 1), 0, 1)
        image = np.rint(255 * np.stack([nir, red, red], axis=-1)).astype(np.uint8)
        image[empty] = (214, 38, 160)
        painted.append(image)
    return painted


if __name__ == "__main__":
    main()
