"""The page: whole, self-contained, safe, and the same for the same data."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from rsprep.report.data import Counts, LandClass, Quicklook, ReportData, SourceRow
from rsprep.report.html import render_html, write_report
from tests.rsprep.report.samples import chip_table, full_report

VOID = {"meta", "img", "br", "link", "hr", "input"}
HOSTILE = "<script>alert('x')</script>\" onload=\"y & z"


class Page(HTMLParser):
    """Checks that elements nest, and gathers what the page would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "xlink:href")
        ]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_page_is_well_formed_and_fetches_nothing() -> None:
    text = render_html(full_report())
    page = Page(text)
    assert page.fetched
    assert all(value.startswith("data:image/") for value in page.fetched)
    assert not re.search(r"url\(|@import|<script|<link", text)


def test_hostile_text_stays_text() -> None:
    table = dataclasses.replace(chip_table(), chip_id=(HOSTILE,) * 12, reason=(HOSTILE,) * 12, split=(HOSTILE,) * 12)
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    data = full_report(
        title=HOSTILE,
        subtitle=HOSTILE,
        chips=table,
        classes=tuple(LandClass(name=HOSTILE, colour="#419bdf") for _ in range(4)),
        quicklooks=(Quicklook(chip_id=HOSTILE, caption=HOSTILE, layers={HOSTILE: image}),),
        sources=(SourceRow(product=HOSTILE, collection=HOSTILE, granules=1),),
        configuration=HOSTILE,
        software={HOSTILE: HOSTILE},
        places={HOSTILE: HOSTILE},
    )
    text = render_html(data)
    page = Page(text)
    assert "script" not in page.tags
    assert not page.handlers
    assert "<script>alert('x')</script>" in page.text


def test_counts_come_first_and_add_up() -> None:
    data = full_report(counts=Counts(planned=150, committed=142, rejected=5, quarantined=2))
    page = Page(render_html(data))
    sentence = "142 chips committed of 150 planned; 5 rejected; 2 quarantined; 1 not built yet."
    assert sentence in page.text
    assert page.text.index(sentence) < page.text.index("Quicklooks") < page.text.index("Problems")


def test_reasons_are_shown_with_their_chips() -> None:
    text = Page(render_html(full_report())).text.split("Problems")[1]
    assert "read/timeout: no answer in 60 s" in text
    assert "33N-0001-0006" in text
    assert text.index("read/timeout") < text.index("too much cloud"), "quarantined first"


def test_same_data_same_bytes(tmp_path: Path) -> None:
    first = write_report(full_report(), tmp_path / "a.html").read_bytes()
    assert write_report(full_report(), tmp_path / "b.html").read_bytes() == first


def test_every_section_is_optional() -> None:
    page = Page(render_html(ReportData(title="bare", counts=Counts(planned=0, committed=0))))
    assert "No chips were planned." in page.text
    assert "svg" not in page.tags


@pytest.mark.parametrize("dropped", ["chips", "aoi", "classes", "quicklooks", "sources", "timings"])
def test_a_missing_part_leaves_out_its_section_only(dropped: str) -> None:
    data = full_report(**{dropped: None if dropped in ("chips", "timings") else ()})
    assert "10 chips committed of 12 planned" in Page(render_html(data)).text


def test_nothing_committed() -> None:
    table = dataclasses.replace(chip_table(), state=("rejected",) * 12, reason=("too much cloud",) * 12)
    data = full_report(chips=table, quicklooks=(), counts=Counts(planned=12, committed=0, rejected=12))
    assert "No chip committed of 12 planned; 12 rejected." in Page(render_html(data)).text


def test_quicklooks_with_different_layers_keep_their_columns() -> None:
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    looks = (
        Quicklook(chip_id="a", caption="", layers={"one": image, "two": image}),
        Quicklook(chip_id="b", caption="", layers={"two": image}),
    )
    text = render_html(full_report(quicklooks=looks))
    assert text.count('data-layer="one"') == text.count('data-layer="two"') == 2
    assert Page(text).text.count("two") >= 1


def test_unknown_values_are_counted_in_words_not_as_zero() -> None:
    cloud = np.full(12, 0.3)
    cloud[[0, 1]] = np.nan
    data = full_report(chips=dataclasses.replace(chip_table(), s2_cloud_fraction=cloud))
    assert "2 without a value" in Page(render_html(data)).text


def test_failed_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(full_report(), tmp_path / "report.html")
    before = path.read_bytes()

    def broken(self: Path, target: Path) -> Path:
        raise OSError("disk is gone")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk is gone"):
        write_report(full_report(title="newer"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
