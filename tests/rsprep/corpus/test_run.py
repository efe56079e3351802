"""The layer that all corpora share, on a corpus of squares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest

import rsprep
from rsprep.config import Engine
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, Histogram, MadeChip, Place
from rsprep.corpus.run import run_corpus
from rsprep.corpus.settings import CorpusSettings
from rsprep.errors import BuildError, ConfigError, StoreError
from rsprep.finish import Outcome
from rsprep.inspection import inspect
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.job.verify import verify
from rsprep.report.data import Table
from rsprep.settings import make_settings
from rsprep.store.export import export
from rsprep.store.schema import Column, Schema, Variable
from rsprep.store.seal import is_sealed

SIDE = 32
SCHEMA = Schema(
    variables=(
        Variable(
            name="mask",
            bands=None,
            band_dim=None,
            dtype="uint8",
            fill=0,
            attrs={"flag_values": [0, 1], "flag_meanings": "clear cloud", "flag_colors": "#1b2a41 #ffffff"},
        ),
        Variable(name="image", bands=("R", "G", "B"), band_dim="band", dtype="uint8", fill=0, attrs={"picture": "rgb"}),
    ),
    chip_px=SIDE,
    resolution=10.0,
    slots_per_shard=4,
    columns=(
        Column(name="area_ratio", kind="float32", meaning="share of the chip that is cloud"),
        Column(name="seed_id", kind="string", meaning="what it was made from"),
        Column(name="diverse", kind="bool", meaning="one of the diverse few"),
    ),
)


class Squares(CorpusSettings):
    """Settings of the corpus of squares."""

    n: int = 10
    broken: str = ""
    """File whose presence makes chip 5 unreadable."""


def make(batch: Batch) -> Iterable[MadeChip]:
    settings = batch.settings
    assert isinstance(settings, Squares)
    for chip in batch.chips:
        number = chip.payload["number"]
        if number == 5 and settings.broken and Path(settings.broken).exists():
            yield MadeChip(quarantined="5.png: it cannot be read")
            continue
        if number == 7:
            yield MadeChip(rejected="too small")
            continue
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[: number + 1] = 1
        image = np.random.default_rng(number).integers(0, 256, (3, SIDE, SIDE)).astype(np.uint8)
        values: dict[str, Any] = {"area_ratio": float(mask.mean()), "seed_id": f"s{number % 3}", "diverse": number < 2}
        yield MadeChip(arrays={"mask": mask, "image": image}, values=values)


def plan(out: Path, *, placed: bool = False, chips: Iterator[CorpusChip] | None = None, **changes: Any) -> CorpusPlan:
    values = {"out": str(out), "catalog": str(out.parent / "catalog"), **changes}
    settings = make_settings(Squares, values)

    def chip(number: int) -> CorpusChip:
        place = Place(epsg=32633, x_origin=500_000.0 + 320 * number, y_origin=5.3e6, lon=15.0, lat=47.8)
        return CorpusChip(
            chip_id=f"square-{number:03d}",
            split="train" if number % 3 else "val",
            payload={"number": number},
            place=place if placed else None,
            reject="near-duplicate of square-001" if number == 3 else "",
        )

    def tables(desk: Desk) -> tuple[Table, ...]:
        shown = len(rsprep.open(desk.store).chip_id)
        return (Table(title="Squares", header=("what", "count"), rows=(("shown", str(shown)),)),)

    return CorpusPlan(
        kind="squares",
        title="Squares",
        settings=settings,
        inputs={"numbers": "abc"},
        schema=SCHEMA,
        chips=map(chip, range(settings.n)) if chips is None else chips,
        make=make,
        histograms=(Histogram(column="area_ratio", title="Area", note="share of cloud", low=0.0, high=1.0),),
        sheet="diverse",
        finish=tables,
    )


def synthetic_plan(out: Path, **more: Any) -> CorpusPlan:
    """The squares as if a model had made them."""
    return replace(plan(out), synthetic=True, derived_from={"parents": "../parents/collection.json"}, **more)


def digests(outcome: Outcome) -> list[str]:
    return pq.read_table(outcome.dataset / "items.parquet").column("rsprep:digest").to_pylist()


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run_corpus(plan(tmp_path_factory.mktemp("squares") / "set"))


def test_every_chip_is_accounted_for(squares: Outcome) -> None:
    counts = squares.data.counts
    assert (counts.planned, counts.committed, counts.rejected, counts.quarantined) == (10, 8, 2, 0)
    assert {problem.reason for problem in squares.data.grouped_problems()} == {
        "too small",
        "near-duplicate of square-001",
    }
    result = verify(squares.dataset)
    assert result.ok
    assert result.checked == 8


def test_it_opens_like_any_data_set(squares: Outcome) -> None:
    dataset = rsprep.open(squares.dataset)
    assert dataset["mask"].shape == (8, SIDE, SIDE)
    assert dataset["seed_id"].to_numpy().tolist() == ["s0", "s1", "s2", "s1", "s2", "s0", "s2", "s0"]
    np.testing.assert_allclose(dataset["area_ratio"], dataset["mask"].mean(("y", "x")), rtol=1e-6)
    assert dataset["diverse"].to_numpy().sum() == 2
    one = rsprep.chip(dataset, "square-004")
    assert "spatial_ref" not in one.coords
    np.testing.assert_array_equal(one["mask"][:5], 1)


def test_the_catalog_has_its_columns_and_no_invented_place(squares: Outcome) -> None:
    table = pq.read_table(squares.dataset / "items.parquet")
    assert table.column("rsprep:seed_id").to_pylist()[0] == "s0"
    assert set(table.column("geometry").to_pylist()) == {None}
    assert set(table.column("proj:code").to_pylist()) == {None}
    pystac.Collection.from_file(str(squares.dataset / "collection.json")).to_dict()
    catalog = pystac.Catalog.from_file(str(squares.dataset.parent / "catalog" / "catalog.json"))
    assert [child.id for child in catalog.get_children()] == ["set"]


def test_the_report_shows_sheet_histogram_and_tables(squares: Outcome) -> None:
    page = (squares.dataset / "report.html").read_text()
    for words in ("Contact sheet", "share of cloud", "<h2>Squares</h2>", "too small"):
        assert words in page
    sections = inspect(squares.dataset).sections
    assert ("shown", "8") in sections["Squares"]


def test_chips_are_exported_without_a_place(squares: Outcome, tmp_path: Path) -> None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    (file,) = export(squares.dataset, tmp_path, chips=["square-002"], layers=["mask"])
    with pytest.warns(NotGeoreferencedWarning):
        opened = rasterio.open(file)
    with opened:
        assert opened.crs is None
        assert opened.read(1).sum() == 3 * SIDE


def test_chips_with_a_place_are_georeferenced(tmp_path: Path) -> None:
    outcome = run_corpus(plan(tmp_path / "set", placed=True))
    assert verify(outcome.dataset).ok
    one = rsprep.chip(rsprep.open(outcome.dataset), "square-004")
    assert one.rio.crs.to_epsg() == 32633
    assert one.rio.bounds() == (501_280.0, 5_299_680.0, 501_600.0, 5_300_000.0)


@pytest.mark.parametrize(("scheduler", "workers"), [("threads", 1), ("threads", 4), ("processes", 2)])
def test_the_number_of_workers_changes_nothing(squares: Outcome, tmp_path: Path, scheduler: str, workers: int) -> None:
    engine = Engine(scheduler=scheduler, workers=workers)
    assert digests(run_corpus(plan(tmp_path / "set", engine=engine))) == digests(squares)


def test_what_could_not_be_read_is_tried_again(tmp_path: Path, squares: Outcome) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    first = run_corpus(plan(tmp_path / "set", broken=str(broken)))
    assert first.failures == first.data.counts.quarantined == 1
    broken.unlink()
    again = run_corpus(plan(tmp_path / "set", broken=str(broken)))
    assert again.failures == 1
    retried = run_corpus(plan(tmp_path / "set", broken=str(broken)), retry_failed=True)
    assert retried.failures == 0
    assert digests(retried) == digests(squares)
    assert verify(retried.dataset).ok


def test_a_resumed_corpus_is_not_planned_again(tmp_path: Path) -> None:
    def never() -> Iterator[CorpusChip]:
        raise AssertionError("planned twice")
        yield

    run_corpus(plan(tmp_path / "set"))
    outcome = run_corpus(plan(tmp_path / "set", chips=never()))
    assert outcome.data.counts.committed == 8
    with pytest.raises(StoreError, match="other-config"):
        run_corpus(plan(tmp_path / "set", n=11))


@pytest.mark.parametrize("wrong", ["none", "midway"])
def test_a_plan_that_fails_leaves_nothing(tmp_path: Path, wrong: str) -> None:
    def chips() -> Iterator[CorpusChip]:
        if wrong == "midway":
            yield CorpusChip(chip_id="a", split="train", payload={})
            raise ConfigError("unknown-code", "the mask holds a code that is in no class", value=7, remedy="name it")

    with pytest.raises(ConfigError, match="no-chips" if wrong == "none" else "unknown-code"):
        run_corpus(plan(tmp_path / "set", chips=chips()))
    assert list(tmp_path.iterdir()) == []


def test_every_corpus_has_a_function_of_the_package() -> None:
    for name in ("cloud_masks", "maskmix", "occlude", "semantic_masks"):
        assert getattr(rsprep, name).__name__ == name
        assert name in rsprep.__all__


def test_what_a_model_made_says_so(squares: Outcome, tmp_path: Path) -> None:
    outcome = run_corpus(synthetic_plan(tmp_path / "set"))
    for one, expected in ((outcome, True), (squares, False)):
        dataset = rsprep.open(one.dataset)
        assert set(dataset["synthetic"].to_numpy().tolist()) == {expected}
        items = pq.read_table(one.dataset / "items.parquet")
        assert set(items.column("rsprep:synthetic").to_pylist()) == {expected}
    collection = json.loads((outcome.dataset / "collection.json").read_text())
    sources = [link for link in collection["links"] if link["rel"] == "derived_from"]
    assert [(link["title"], link["href"]) for link in sources] == [("parents", "../parents/collection.json")]
    assert verify(outcome.dataset).ok
    with pytest.raises(ValueError, match="signed"):
        replace(plan(tmp_path / "other"), derived_from={"parents": "https://x.org/collection.json?sig=1"})


def test_a_check_of_all_chips_comes_before_the_seal(tmp_path: Path) -> None:
    seen = []

    def look(journal: JournalView) -> dict[str, str]:
        seen.append(len({chip.digest for chip in journal.chips("committed")}))
        if len(seen) == 1:
            raise BuildError("odd", "that must not be", remedy="look again")
        return {"square-004": "too like another"} if seen[-1] == 8 else {}

    with pytest.raises(BuildError, match="odd"):
        run_corpus(synthetic_plan(tmp_path / "set", check=look))
    assert not is_sealed(tmp_path / "set" / "chips.zarr")
    assert not (tmp_path / "set" / "items.parquet").exists()
    outcome = run_corpus(synthetic_plan(tmp_path / "set", check=look))
    assert seen == [8, 8]
    assert verify(outcome.dataset).ok
    counts = outcome.data.counts
    assert (counts.planned, counts.committed, counts.rejected) == (10, 7, 3)
    assert "too like another" in {problem.reason for problem in outcome.data.grouped_problems()}
    assert "square-004" not in rsprep.open(outcome.dataset)["chip_id"].to_numpy().tolist()


def test_a_chip_needs_a_name_and_a_split() -> None:
    with pytest.raises(ValueError, match="name"):
        CorpusChip(chip_id="a/b", split="train", payload={})
    with pytest.raises(ValueError, match="split"):
        CorpusChip(chip_id="a", split="training", payload={})
