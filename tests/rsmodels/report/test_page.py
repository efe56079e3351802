from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # our own page
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmodels.report import charts
from rsmodels.report.page import (
    BarsSection,
    LinesSection,
    PanelsSection,
    Ramp,
    Section,
    Series,
    TableSection,
    render_page,
    write_page,
)

NAUGHTY = "<script>\"&'</script>"


def svg_of(page: str) -> ET.Element:
    drawn = re.search(r"<svg viewBox[^>]*role=\"img\".*?</svg>", page, re.DOTALL)
    assert drawn is not None
    return ET.fromstring(drawn.group())  # noqa: S314  # our own page


def page_of(*sections: Section) -> str:
    return render_page("t", "s", sections)


def numbers_of(path: str) -> np.ndarray:
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)
    return np.array(pairs, dtype=float)


def strokes(root: ET.Element) -> list[np.ndarray]:
    return [numbers_of(one.attrib["d"]) for one in root.iter("path") if one.attrib.get("class") == "series"]


def every_kind(text: str = "x") -> list[Section]:
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    line = Series(name=text, x=[0, 1], y=[1.0, 2.0], low=[0.5, 1.0], high=[1.5, 3.0])
    return [
        TableSection(title=text, header=(text, text), rows=[(text, text)], note=text, colours=("#102030",)),
        LinesSection(title=text, series=(line,), note=text, x_label=text, y_label=text),
        LinesSection(title=text, series=(line, line), half=True, log=True),
        BarsSection(
            title=text,
            groups=(text,),
            series={text: [0.5], text + "2": [0.2]},
            spread={text: [(0.1, 0.7)]},
            note=text,
            colours=("#102030",),
            x_label=text,
        ),
        PanelsSection(
            title=text,
            columns=(text, "b"),
            rows=[(f"{text}\n{text}", (picture, None))],
            note=text,
            ramps=(Ramp(name=text, stops=("#000000", "#ffffff"), low=text, high=text),),
            classes=((text, "#102030"),),
        ),
    ]


def test_everything_is_escaped() -> None:
    page = render_page(NAUGHTY, NAUGHTY, every_kind(NAUGHTY), over=NAUGHTY)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 15


def test_the_page_needs_nothing_else_and_is_the_same_each_time(tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.html", "title", "sub", every_kind(), over="over")
    page = path.read_text(encoding="utf-8")
    assert page == render_page("title", "sub", every_kind(), over="over")
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "url(" not in page
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_all_drawings_are_well_formed_and_lie_within_their_frame() -> None:
    page = page_of(*every_kind())
    for drawn in re.findall(r"<svg viewBox[^>]*role=\"img\".*?</svg>", page, re.DOTALL):
        root = ET.fromstring(drawn)  # noqa: S314
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        lines = [one for one in root.iter("path") if not one.attrib.get("class", "").startswith("whisker")]
        for points in (numbers_of(one.attrib["d"]) for one in lines):
            assert (points >= 0).all()
            assert (points <= (width, height)).all()


def test_two_half_sections_share_a_row_and_others_do_not() -> None:
    line = Series(name="a", x=[0, 1], y=[0, 1])
    half, full = (LinesSection(title="l", series=(line,), half=wide) for wide in (True, False))
    assert page_of(half, half, full, half).count('class="pair"') == 2
    assert page_of(half, half, full, half).count('class="alone"') == 1


def test_lines_rise_where_the_numbers_rise_and_break_at_gaps() -> None:
    section = LinesSection(
        title="t",
        series=(Series(name="a", x=[0, 10, 20, 30, 40], y=[1.0, 2.0, np.nan, 4.0, 3.0]),),
        y_label="loss",
    )
    root = svg_of(page_of(section))
    first, second = strokes(root)
    assert len(first) == len(second) == 2
    assert first[0, 0] < first[1, 0] < second[0, 0]
    assert second[0, 1] < second[1, 1] < first[1, 1] < first[0, 1]
    assert charts.left_out(section) == 1
    assert "1 value could not be drawn" in page_of(section)


def test_one_value_is_a_dot_and_none_is_words() -> None:
    alone = LinesSection(title="t", series=(Series(name="a", x=[5], y=[2.0]),))
    assert sum(1 for _ in svg_of(page_of(alone)).iter("circle")) == 1
    assert "no values yet" in page_of(LinesSection(title="t", series=(Series(name="a", x=[], y=[]),)))
    assert "no values yet" in page_of(LinesSection(title="t", series=(Series(name="a", x=[1], y=[np.inf]),)))
    assert "no values yet" in page_of(LinesSection(title="t", series=()))
    assert "no values yet" in page_of(BarsSection(title="t", groups=("a",), series={"s": [np.nan]}))


def test_a_logarithmic_axis_makes_equal_ratios_equal_steps() -> None:
    numbers = [100.0, 10.0, 0.0, 1.0, 0.1]
    section = LinesSection(title="t", series=(Series(name="a", x=[0, 1, 2, 3, 4], y=numbers),), log=True)
    first, second = strokes(svg_of(page_of(section)))
    assert second[1, 1] - second[0, 1] == pytest.approx(first[1, 1] - first[0, 1], abs=0.2)
    assert "not above 0 on this axis" in page_of(section)


def test_a_band_goes_from_its_low_to_its_high_edge() -> None:
    line = Series(name="a", x=[0, 1], y=[2.0, 2.0], low=[1.0, 1.5], high=[3.0, 2.5])
    root = svg_of(page_of(LinesSection(title="t", series=(line,))))
    (band,) = [numbers_of(one.attrib["d"]) for one in root.iter("path") if "fill-opacity" in one.attrib]
    (stroke,) = strokes(root)
    assert band[0, 1] < stroke[0, 1] < band[3, 1]
    assert band[0, 1] < band[1, 1] < stroke[1, 1] < band[2, 1] < band[3, 1]


def test_spikes_and_gaps_of_long_lines_stay() -> None:
    y = np.ones(50_000)
    y[31_337], y[77], y[40_011] = 50.0, -20.0, np.nan
    section = LinesSection(title="t", series=(Series(name="a", x=np.arange(50_000), y=y),))
    root = svg_of(page_of(section))
    drawn = np.concatenate(strokes(root))
    assert len(strokes(root)) == 2
    assert len(drawn) < 1_200
    heights = drawn[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((12 + 326 * 0.04 / 1.08, 338 - 326 * 0.04 / 1.08), abs=0.5)


def test_thirty_lines_are_told_apart() -> None:
    signs = {str(charts.line_key(i)) for i in range(30)}
    assert len(signs) == 30


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6), most=st.integers(3, 10), outwards=st.booleans())
def test_ticks_are_few_even_and_where_they_say(low: float, span: float, most: int, outwards: bool) -> None:
    high = low + span
    if high <= low + 1e-9 * max(abs(low), 1):
        return
    found = charts.ticks(low, high, most=most, outwards=outwards)
    values = [value for value, _ in found]
    assert 1 <= len(found) <= 2 * most
    np.testing.assert_allclose(np.diff(values), np.diff(values)[:1].repeat(len(values) - 1), rtol=1e-6)
    for value, text in found:
        assert float(text.replace("−", "-").replace(",", "")) == pytest.approx(value, rel=6e-3, abs=1e-6 * span)
    if outwards:
        assert values[0] <= low + 1e-6 * span
        assert values[-1] >= high - 1e-6 * span
    assert len({text for _, text in found}) == len(found) or max(abs(low), abs(high)) >= 1e5 * span


def test_log_ticks_lie_on_decades_and_there_are_always_two() -> None:
    assert [text for _, text in charts.log_ticks(-3.0, 2.0)] == ["0.001", "0.01", "0.1", "1", "10", "100"]
    assert [text for _, text in charts.log_ticks(0.0, 1.0)] == ["1", "2", "5", "10"]
    assert len(charts.log_ticks(np.log10(21), np.log10(28))) >= 2


def bar_widths(root: ET.Element) -> list[float]:
    return [float(one.attrib["width"]) for one in root.iter("rect") if len(one)]


def test_a_series_keeps_its_colour_in_a_chart_without_those_before_it() -> None:
    page = page_of(BarsSection(title="t", groups=("a",), series={"second": [1.0]}, first=1))
    assert charts.SERIES_COLOURS[1] in page
    assert charts.SERIES_COLOURS[0] not in page
    assert "second" in page


def test_bars_are_as_long_as_their_numbers_and_start_at_0() -> None:
    section = BarsSection(title="t", groups=("a", "b"), series={"s": [0.2, -0.4], "u": [0.4, float("nan")]})
    root = svg_of(page_of(section))
    short, long, negative = bar_widths(root)
    assert long == pytest.approx(2 * short, abs=0.1)
    assert negative == pytest.approx(long, abs=0.1)
    texts = [one.text for one in root.iter("text")]
    assert {"0.200", "0.400", "−0.400", "–"} <= set(texts)
    starts = [float(one.attrib["x"]) for one in root.iter("rect") if len(one)]
    assert starts[0] == starts[1] == pytest.approx(starts[2] + negative, abs=0.1)


def test_numbers_beyond_a_given_axis_are_an_error_not_a_cut() -> None:
    with pytest.raises(ValueError, match="beyond"):
        page_of(BarsSection(title="t", groups=("a",), series={"s": [1.2]}, top=1.0))


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="cells"):
        TableSection(title="t", header=("a",), rows=[("x", "y")])
    with pytest.raises(ValueError, match="colours"):
        TableSection(title="t", header=("a",), rows=[("x",)], colours=("#000000", "#000000"))
    with pytest.raises(ValueError, match="equally long"):
        Series(name="a", x=[1, 2], y=[1])
    with pytest.raises(ValueError, match="low and a high"):
        Series(name="a", x=[1], y=[1], low=[1])
    with pytest.raises(ValueError, match="of 2 groups"):
        BarsSection(title="t", groups=("a", "b"), series={"s": [1]})
    with pytest.raises(ValueError, match="colours"):
        BarsSection(title="t", groups=("a",), series={}, colours=("#000000", "#111111"))
    with pytest.raises(ValueError, match="pictures"):
        PanelsSection(title="t", columns=("a", "b"), rows=[("r", (None,))])
