"""Charts and the elements they are made of."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.report import charts, svg
from rsprep.report.data import LandClass


@given(st.lists(st.floats(-0.5, 1.5) | st.just(float("nan")), min_size=1, max_size=60))
def test_histogram_counts_every_known_value_once(values: list[float]) -> None:
    text = charts.histogram(values, label="x", limits=(0.0, 1.0), ticks={})
    counted = sum(int(n) for n in re.findall(r"<title>[^<]*: (\d+)</title>", text))
    assert counted == int(np.isfinite(values).sum())
    if 0 < counted < len(values):
        assert f"{len(values) - counted} without a value" in text


def test_histogram_of_nothing() -> None:
    assert "no values" in charts.histogram([float("nan")], label="x", limits=(0, 1), ticks={})


@given(st.floats(1e-6, 1e9))
def test_nice_ceiling_is_near_and_not_below(value: float) -> None:
    for steps, most in ((charts.FINE, 1.5), (charts.ROUND, 2.5)):
        nice = charts.nice_ceiling(value, steps)
        assert value * (1 - 1e-9) <= nice <= value * most * (1 + 1e-9)


def test_nice_ceiling_of_nothing() -> None:
    assert charts.nice_ceiling(0.0) == charts.nice_ceiling(float("nan")) == 1.0


def test_class_bars_are_in_proportion() -> None:
    classes = [LandClass(name="water", colour="#419bdf"), LandClass(name="built_up", colour="#c4281b")]
    text = charts.class_bars(classes, np.array([0.75, 0.25]), {"val": np.array([0.5, np.nan])})
    long, short = (float(width) for width in re.findall(r'width="([\d.]+)" height="16"', text))
    assert long == pytest.approx(3 * short, rel=1e-3)
    assert "built up" in text
    assert text.count("<title>val") == 1, "an unknown share has no mark"


def test_gradient_ends_in_its_stops() -> None:
    fills = re.findall(r'fill="(#[0-9a-f]{6})"', charts.gradient(("#000000", "#ffffff")))
    levels = [int(fill[1:3], 16) for fill in fills]
    assert levels == sorted(levels)
    assert levels[0] < 8
    assert levels[-1] > 247


def test_tag_escapes_children_and_attributes() -> None:
    text = svg.tag("text", "<b>&", title='" onload="x', text_anchor="end", x=1.50)
    assert text == '<text title="&#34; onload=&#34;x" text-anchor="end" x="1.5">&lt;b&gt;&amp;</text>'


def test_a_split_without_a_mark_of_its_own_gets_the_circle() -> None:
    assert "<circle" in charts.mark("extra", 0, 0)
    assert charts.key("val") != charts.key("test")
