"""Box plots: the numbers of a box, and where they are drawn."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # our own page

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmodels.report import boxes
from rsmodels.report.page import BoxesSection, render_page

floats = st.floats(-1e6, 1e6, allow_nan=False)


def drawing(section: BoxesSection) -> ET.Element:
    found = re.search(r"<svg viewBox[^>]*role=\"img\".*?</svg>", render_page("t", "s", [section]), re.DOTALL)
    assert found is not None
    return ET.fromstring(found.group())  # noqa: S314  # our own page


def test_a_box_is_that_by_hand() -> None:
    box = boxes.box_of([1, 2, 3, 4, 5, 6, 7, 8, 9, 100, float("nan")])
    assert box is not None
    assert (box.first, box.median, box.third) == (3.25, 5.5, 7.75)
    assert (box.low, box.high) == (1, 9)  # 7.75 + 1.5 * 4.5 = 14.5
    assert box.far.tolist() == [100]
    assert (box.mean, box.n) == (14.5, 10)
    assert boxes.box_of([float("nan")]) is None


@given(st.lists(floats, min_size=1, max_size=30))
def test_boxes_are_in_order_and_hold_every_value(values: list[float]) -> None:
    box = boxes.box_of(values)
    assert box is not None
    assert box.low <= box.first <= box.median <= box.third <= box.high
    reach = 1.5 * (box.third - box.first)
    near = [one for one in values if box.first - reach <= one <= box.third + reach]
    assert len(near) + len(box.far) == len(values) == box.n
    assert all(one < min(near) or one > max(near) for one in box.far)


def test_all_is_drawn_where_it_belongs() -> None:
    values = [[0.0, 1.0, 2.0, 3.0, 10.0], [4.0, 5.0, 6.0, 7.0, 8.0], [float("nan")]]
    section = BoxesSection(title="t", groups=("a", "b", "c"), values=values, x_label="x")
    root = drawing(section)
    first, second = [one for one in root.iter("rect") if one.attrib.get("class") == "box"]
    left = [float(one.attrib["x"]) for one in (first, second)]
    end = [x + float(one.attrib["width"]) for x, one in zip(left, (first, second), strict=True)]
    assert left[0] < end[0] < left[1] < end[1]
    far = [float(one.attrib["cx"]) for one in root.iter("circle")]
    assert len(far) == 1
    assert far[0] > end[1]
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert 0 <= left[0] < far[0] <= width
    assert max(float(one.attrib["y"]) for one in root.iter("rect")) < height
    assert boxes.left_out(section) == 1
    assert "1 value could not be drawn (not a number)" in render_page("t", "s", [section])


def test_one_number_has_a_box_and_none_has_words() -> None:
    assert len(list(drawing(BoxesSection(title="t", groups=("a",), values=[[0.5]])).iter("rect"))) == 1
    assert "no values yet" in render_page("t", "s", [BoxesSection(title="t", groups=("a",), values=[[]])])


def test_names_are_escaped_and_half_ones_share_a_row() -> None:
    half = BoxesSection(title="<b>", groups=("<script>",), values=[np.arange(5.0)], half=True)
    page = render_page("t", "s", [half, half])
    assert "<script" not in page
    assert page.count('class="pair"') == 1


def test_sections_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="0 of 1 groups"):
        BoxesSection(title="t", groups=("a",), values=[])
    with pytest.raises(ValueError, match="beyond the axis"):
        render_page("t", "s", [BoxesSection(title="t", groups=("a",), values=[[2.0]], limits=(0.0, 1.0))])
