"""A table in words, the same on the terminal and on the page; all that is said comes from its record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rsmodels.downstream.words import Table
from rsmodels.evaluation.columns import COLOUR_COLUMNS, COLUMNS

DIGITS = {key: digits for key, _, _, digits in (*COLUMNS, *COLOUR_COLUMNS)}
FIDELITY = ("frechet", "kernel", "miou", "fwiou", "accuracy")
DIVERSITY = ("diversity", "mcsd", "mocd")
GAIN = ("d_miou", "d_fwiou", "d_accuracy")
COLOURS = tuple(key for key, *_ in COLOUR_COLUMNS)
SHARES = ("acc@2", "acc@5", "ssim")
"""Of colorizers: written in percent, as the paper does."""
BEST = " *"


def parts(record: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Columns that stand in one table each."""
    return (COLOURS,) if record["kind"] == "colorization" else (FIDELITY, DIVERSITY + GAIN)


def headline(record: Mapping[str, Any]) -> str:
    """The title of the recipe."""
    return str(record["title"])


def subtitle(record: Mapping[str, Any]) -> str:
    """What it was made of, in one line."""
    data, rows = record["data"], record["systems"]
    done = sum(bool(row["runs"]) for row in rows)
    chips = data["chips"]
    return (
        f"{done} of {len(rows)} systems · {data['name']}: {chips['train']:,} train and "
        f"{chips[record['judged_on']]:,} {record['judged_on']} chips of {data['pixels']} × {data['pixels']} pixels"
    )


def figures(record: Mapping[str, Any], keys: Sequence[str]) -> Table:
    """Some columns of Table I, a row a system."""
    shown = [one for one in record["columns"] if one["key"] in keys]
    header = ("", *(f"{one['title']} {one['better']}".strip() for one in shown))
    rows = [(row["name"], *(_cell(row, one) for one in shown)) for row in record["systems"]]
    real = record["segmenter"]
    if real is not None and set(keys) & {"miou", "fwiou", "accuracy"}:
        limits = {name: f"{real[name]:.{DIGITS[name]}f}" for name in ("miou", "fwiou", "accuracy")}
        rows.append(("real images", *(limits.get(one["key"], "–") for one in shown)))
    for title, own in (("left grey", record["left_grey"]), ("real images", record["real"])):
        if own is not None:
            known = {
                name: value * (100 if name in SHARES else 1) for name, value in own.items() if not math.isnan(value)
            }
            limits = {name: f"{value:.{DIGITS[name]}f}" for name, value in known.items()}
            rows.append((title, *(limits.get(one["key"], "–") for one in shown)))
    return header, rows


def costs(record: Mapping[str, Any]) -> Table:
    """What each system takes."""
    header = ("", "weights", "of all that learns", "steps", "chips a step", "seconds a step", "images/s")
    rows = []
    for row in record["systems"]:
        cost = row["costs"]
        if cost is None:
            rows.append((row["name"], *["–"] * (len(header) - 1)))
            continue
        step = cost["seconds_per_step"]
        rows.append(
            (
                row["name"],
                f"{cost['parameters'] / 1e6:.2f} M",
                f"{cost['parameters_trained'] / 1e6:.2f} M",
                f"{cost['steps']:,}",
                str(cost["chips_per_step"]),
                "–" if step is None else f"{step:.3g}",
                f"{cost['images_per_second']:.3g}",
            )
        )
    return header, rows


def failures(record: Mapping[str, Any]) -> Table:
    """What could not be done."""
    header = ("", "seed", "stage", "error", "cause, and what to do")
    rows: list[tuple[str, ...]] = [
        (
            one["system"] or "all",
            "" if one["seed"] is None else str(one["seed"]),
            one["stage"],
            one["error"],
            "; ".join(part for part in (one["cause"], one["remedy"]) if part),
        )
        for one in record["failures"]
    ]
    return header, rows


def explained(record: Mapping[str, Any]) -> str:
    """What the figures are, what they rest on, and how small that is."""
    return " ".join(_explained(record))


def _explained(record: Mapping[str, Any]) -> Iterator[str]:
    data, rows = record["data"], [row for row in record["systems"] if row["runs"]]
    chips = data["chips"]
    part = "" if data["share"] == 1 else f", of which a share of {data['share']:g} is learned from"
    yield (
        f"Learned from {chips['train']:,} train chips of {data['pixels']} × {data['pixels']} pixels{part}; "
        f"judged on {chips[record['judged_on']]:,} {record['judged_on']} chips."
    )
    if rows:
        yield f"Sizes: {'; '.join(_sizes(rows))}."
        several = max(len(row["runs"]) for row in rows)
        if several > 1:
            yield "Means over seeds ± standard deviation where a system was trained with several."
        yield "The best of each column has a star."
    if record["kind"] == "colorization":
        yield (
            "acc@2 and acc@5: pixels of which no channel is more than so many of 255 levels off. Colourfulness is that "
            "of Hasler and Süsstrunk; the last rows are those of the images as they were given, and of the real ones."
        )
    features = sorted({row["features"] for row in rows if row["features"]})
    if features:
        yield f"Fréchet and kernel distance are between features of {_and(features)}; this is not Inception's FID."
    why = sorted({run["no_frechet"] for row in rows for run in row["runs"] if run["no_frechet"]})
    if why:
        yield f"No Fréchet distance: {why[0]}."
    distances = sorted({row["distance"] for row in rows if row["distance"]})
    if distances:
        yield (
            f"Diversity, mCSD and mOCD are by {_and(distances)}; mCSD and mOCD are our reconstruction. "
            "A generator without noise makes one image of a mask."
        )
    real = record["segmenter"]
    if real is not None:
        width = "" if real["width"] is None else f", width {real['width']}"
        yield (
            f"mIoU, FWIoU and acc are of {real['title']} on the generated images (trained on {real['chips']:,} real "
            f"chips, {_counted(real['steps'], 'step')} of {real['batch']}{width}); the last row is what it reaches on "
            "the real images of the same chips."
        )
    yield from _gained(record)


def _gained(record: Mapping[str, Any]) -> Iterator[str]:
    found = record["downstream"]
    if found is None or not found["gains"]:
        return
    arms = [row["gains"]["arm"] for row in record["systems"] if row["gains"]]
    way = f" at {arms[0].rsplit(', ', 1)[1]}" if arms else ""
    runs = len(found["seeds"])
    yield (
        f"d-X: relative gain of RS-UNet with the synthetic chips of a system's first run over real chips alone{way}, "
        f"of means over {runs} seed{'' if runs == 1 else 's'}; intervals are in the comparison's own report."
    )


def _sizes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """``400 steps of 8 chips, width 24 (spade, inade)``, systems of one size together."""
    alike: dict[str, list[str]] = {}
    for row in rows:
        width = "" if row["width"] is None else f", width {row['width']}"
        size = f"{_counted(row['costs']['steps'], 'step')} of {_counted(row['batch'], 'chip')}{width}"
        alike.setdefault(size, []).append(row["name"])
    for text, names in alike.items():
        yield text if len(alike) == 1 else f"{text} ({', '.join(names)})"


def _cell(row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    """``0.512 ± 0.010 *``; a dash where there is none."""
    found = row["columns"][column["key"]]
    if math.isnan(found["mean"]):
        return "–"
    digits = DIGITS[column["key"]]
    percent = column["key"] in GAIN
    if column["key"] in SHARES:
        found = {key: 100 * found[key] for key in ("mean", "deviation")}
    text = f"{found['mean']:+.{digits}f} %" if percent else f"{found['mean']:.{digits}f}"
    if not math.isnan(found["deviation"]):
        text += f" ± {found['deviation']:.{digits}f}"
    return text + (BEST if row["name"] in column["best"] else "")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
