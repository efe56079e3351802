"""What raters saved: read strictly, and summed up as by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rsmodels.blind.job import blind_test
from rsmodels.blind.key import read_key
from rsmodels.blind.told import blind_scores
from rsmodels.cli.main import main
from rsmodels.errors import ModelError
from tests.rsmodels.blind.test_job import pictures

HEAD = "test,rater,position,image,score"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("scores")
    folders = [str(pictures(home / name, 6, seed=seed)) for seed, name in enumerate(("truth", "good", "poor"))]
    out = home / "blind.html"
    return blind_test({"folders": folders, "out": str(out), "real": 2, "generated": 3}).page


def opinions(page: Path, real: int, good: int, poor: int) -> dict[str, int]:
    """The same score for all images of a kind, but one more for each next one."""
    scores, met = {None: real, "good": good, "poor": poor}, {None: 0, "good": 0, "poor": 0}
    found = {}
    for n, one in read_key(page)["images"].items():
        found[n] = scores[one["system"]] + met[one["system"]]
        met[one["system"]] += 1
    return found


def saved(folder: Path, page: Path, rater: str, scores: Mapping[str, int], ending: str = "csv") -> Path:
    """As the page saves it."""
    test = read_key(page)["test"]
    rows = [{"position": at, "image": n, "score": score} for at, (n, score) in enumerate(scores.items(), 1)]
    path = folder / f"{rater}.{ending}"
    if ending == "json":
        path.write_text(json.dumps({"format": 1, "test": test, "rater": rater, "scores": rows}))
    else:
        lines = [f"{test},{rater},{one['position']},{one['image']},{one['score']}" for one in rows]
        path.write_text("\n".join([HEAD, *lines]) + "\n")
    return path


def test_means_and_spreads_are_those_by_hand(page: Path, tmp_path: Path) -> None:
    files = [
        saved(tmp_path, page, "ada", opinions(page, 80, 79, 10)),
        saved(tmp_path, page, "ben", opinions(page, 60, 50, 20), "json"),
    ]
    found = blind_scores(page, files, out=tmp_path / "scores.html")
    record = found.record
    assert (record["real"]["mean"], record["real"]["n"]) == (np.mean([80, 81, 60, 61]), 4)
    assert record["real"]["deviation"] == pytest.approx(np.std([80.5, 60.5], ddof=1))  # of the raters' means
    assert record["generated"]["good"]["mean"] == np.mean([79, 80, 81, 50, 51, 52])
    ada, ben = record["raters"]
    assert (ada["rater"], ada["images"], ada["real"]["mean"]) == ("ada", 8, 80.5)
    assert ada["generated"]["poor"]["deviation"] == pytest.approx(np.std([10, 11, 12], ddof=1))
    # 79, 80, 81 against 80 and 81: one pair won, two tied, three lost
    assert ada["generated"]["good"]["taken"] == pytest.approx((1 + 2 * 0.5) / 6)
    assert (ben["generated"]["good"]["taken"], ben["generated"]["poor"]["taken"]) == (0, 0)
    assert record["generated"]["good"]["taken"] == pytest.approx((2 / 6 + 0) / 2)
    assert (tmp_path / "scores.html").read_text().count('class="box"') == 3


def test_unfinished_scores_count_as_far_as_they_go(page: Path, tmp_path: Path) -> None:
    real = [n for n, one in read_key(page)["images"].items() if one["system"] is None]
    path = saved(tmp_path, page, "eve", {real[0]: 90})
    found = blind_scores(page, [path], out=tmp_path / "s.html")
    assert found.record["raters"][0]["images"] == 1
    assert found.record["real"]["mean"] == 90
    assert json.loads((tmp_path / "s.json").read_text())["generated"]["good"]["mean"] is None
    assert "Not finished: eve" in (tmp_path / "s.html").read_text()


def test_files_that_a_spreadsheet_wrote_are_read(page: Path, tmp_path: Path) -> None:
    path = saved(tmp_path, page, "ada", opinions(page, 80, 70, 10))
    text = path.read_text().replace(",00", ",").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert blind_scores(page, [path]).record["real"]["mean"] == 80.5


@pytest.mark.parametrize(
    ("line", "slug"),
    [
        ("{test},ada,1,001,101", "bad-score"),
        ("{test},ada,1,001,0", "bad-score"),
        ("{test},ada,1,001,7.5", "bad-score"),
        ("{test},ada,1,001,", "bad-score"),
        ("{test},ada,1,099,7", "no-such-image"),
        ("ffff,ada,1,001,7", "other-test"),
        ("{test},ada,1,001,7\n{test},ada,2,001,8", "scored-twice"),
        ("{test},ada,1,001,7\n{test},ben,2,002,8", "not-scores"),
        ("{test},ada,1,001", "not-scores"),
        ("", "not-scores"),
    ],
)
def test_scores_that_cannot_be_are_refused(line: str, slug: str, page: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEAD}\n{line.format(test=read_key(page)['test'])}\n")
    with pytest.raises(ModelError) as caught:
        blind_scores(page, [path])
    assert caught.value.slug == slug


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00", "[]"])
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_other_files_are_refused(text: str, ending: str, page: Path, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text(text)
    with pytest.raises(ModelError, match="not-scores"):
        blind_scores(page, [path])
    with pytest.raises(ModelError, match="not-a-blind-test"):
        blind_scores(path, [path])


def test_one_rater_counts_once(page: Path, tmp_path: Path) -> None:
    scores = opinions(page, 80, 70, 10)
    files = [saved(tmp_path, page, "ada", scores), saved(tmp_path, page, "ada", scores, "json")]
    with pytest.raises(ModelError, match="same-rater"):
        blind_scores(page, files)


def test_the_key_is_not_written_over(page: Path, tmp_path: Path) -> None:
    before = page.read_bytes()
    with pytest.raises(ModelError, match="over-the-key"):
        blind_scores(page, [saved(tmp_path, page, "ada", opinions(page, 80, 70, 10))], out=page)
    assert page.read_bytes() == before


def test_the_command_line_tells_them(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, page, "ada", opinions(page, 80, 70, 10))
    assert main(["report", "--scores", str(path), "--key", str(page)]) == 0
    told = capsys.readouterr().out
    assert "real images 80.5" in told
    assert "8 of 8" in told
    assert main(["report", "--scores", str(path)]) == 2
    assert main(["report", "--scores", "--key", str(page)]) == 2
    told = capsys.readouterr().err
    assert "no-key" in told
    assert "no-scores" in told
