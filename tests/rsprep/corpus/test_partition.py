"""Splits of images and masks: kept where they are told, and no mask, shape or seed in two of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.corpus.occlusion.masks import Mask, MaskPool, _share_out
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.partition import by_folder, by_hash, choose_splits, read_split_file
from rsprep.errors import InputError
from rsprep.settings import make_settings


@pytest.mark.parametrize(
    ("root", "file", "expected"),
    [
        ("data", "train/aGrass/1.jpg", ("train", "aGrass")),
        ("data", "aGrass/Validation/1.jpg", ("val", "aGrass")),
        ("data", "a/b/1.jpg", ("", "a/b")),
        ("data", "1.jpg", ("", "")),
        ("data/train", "aGrass/1.jpg", ("train", "aGrass")),
        ("data/train", "test/1.jpg", ("test", "")),
    ],
)
def test_folders_tell_split_and_label(tmp_path: Path, root: str, file: str, expected: tuple[str, str]) -> None:
    path = tmp_path / root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert by_folder(path, tmp_path / root) == expected


def test_a_file_may_be_the_whole_input(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    path = tmp_path / "test" / "1.tif"
    path.touch()
    assert by_folder(path, path) == ("test", "")


def test_a_hash_keeps_to_the_ratio() -> None:
    counts = Counter(by_hash(f"image-{i}", (6, 3, 1), 0) for i in range(4000))
    assert [round(counts[split] / 4000, 1) for split in ("train", "val", "test")] == [0.6, 0.3, 0.1]
    assert {by_hash(f"{i}", (1, 0, 0), 0) for i in range(200)} == {"train"}
    assert {by_hash(f"{i}", (0, 1, 0), 5) for i in range(200)} == {"val"}
    assert [by_hash(f"{i}", (1, 1, 1), 0) for i in range(50)] != [by_hash(f"{i}", (1, 1, 1), 1) for i in range(50)]


def test_one_split_may_be_meant_for_all() -> None:
    names = [("a.png", "a"), ("b.png", "b")]
    assert choose_splits("val", names, ["", "train"], ratio=(1, 1, 1), seed=0) == ["val", "val"]
    assert choose_splits("auto", names, ["test", "train"], ratio=(1, 1, 1), seed=0) == ["test", "train"]


def test_a_contradicting_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\ufeffimage,split,note\na,train,x\na,train,\nb,test,\n", encoding="utf-8")
    assert read_split_file(path) == {"a": "train", "b": "test"}
    path.write_text("image,split\na,train\na,test\n")
    with pytest.raises(InputError, match="two splits"):
        read_split_file(path)
    path.write_text("image,split\n")
    with pytest.raises(InputError, match="empty"):
        read_split_file(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="split-file"):
        read_split_file(path)


# -- masks ----------------------------------------------------------------------------------------


def mask(number: int, seed: int, shape: int, split: str) -> Mask:
    return Mask(
        key=number, mask_id=f"m{number}", shape=(8, 8), area_px=20, digest=f"d{shape}", seed=f"s{seed}", split=split
    )


rows = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 20), st.sampled_from(["train", "val", "test", ""])),
    min_size=1,
    max_size=40,
)


@given(rows=rows, rule=st.sampled_from(["own", "hash"]), seed=st.integers(0, 5))
def test_no_mask_shape_or_seed_serves_two_splits(rows: list[tuple[int, int, str]], rule: str, seed: int) -> None:
    masks = [mask(i, *row) for i, row in enumerate(rows)]
    settings = make_settings(
        OccludeSettings, {"images": "i", "masks": "m", "out": "o", "mask_split": rule, "seed": seed}
    )
    shared, dropped = _share_out(masks, settings, {"train": 70, "val": 20, "test": 10})
    kept = [(split, one) for split, members in shared.items() for one in members]
    assert len(kept) + dropped == len(masks)
    owners: dict[str, str] = {}
    for split, one in kept:
        assert one.split == split
        assert owners.setdefault(one.digest, split) == split
    if rule == "own" and all(one.split for one in masks):
        assert all(one.split == next(m.split for m in masks if m.mask_id == one.mask_id) for _, one in kept)
    else:
        assert dropped == 0  # equal shapes are dealt out together
        for split, one in kept:
            assert owners.setdefault(one.seed, split) == split
    again, _ = _share_out(masks[::-1], settings, {"train": 70, "val": 20, "test": 10})
    assert {one.mask_id: split for split, members in again.items() for one in members} == {
        one.mask_id: split for split, one in kept
    }


def test_a_split_without_images_gets_no_mask() -> None:
    masks = [mask(i, i, i, "") for i in range(30)]
    settings = make_settings(OccludeSettings, {"images": "i", "masks": "m", "out": "o"})
    shared, _ = _share_out(masks, settings, {"train": 20, "test": 10})
    assert {split: len(members) for split, members in shared.items()} == {"train": 20, "test": 10}


def test_a_pool_with_a_mask_in_two_splits_cannot_be_made() -> None:
    one, two = mask(0, 0, 0, "train"), mask(0, 0, 1, "test")
    for other in (two, mask(1, 1, 0, "test")):
        with pytest.raises(ValueError, match="serves train and test"):
            MaskPool(
                root=Path(), stored=False, as_is=True, masks={"train": (one,), "test": (other,)}, given=2, unused={},
                fingerprint="",
            )  # fmt: skip
