"""MaskMix inside albumentations."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from rsprep.errors import ConfigError, InputError
from rsprep.masks.maskmix import MaskMix, MixSettings
from rsprep.masks.maskmix.transform import MaskMixTransform
from tests.rsprep.masks.test_maskmix import cloud

import albumentations as A  # isort: skip  # noqa: N812  # after the module that turns its question to the network off

IMAGE = np.arange(96 * 96 * 3, dtype=np.uint8).reshape(96, 96, 3)


def test_only_masks_change_and_they_are_those_of_the_operator() -> None:
    pipeline = A.Compose([MaskMixTransform()], seed=3)
    done = pipeline(image=IMAGE, mask=cloud(0))
    assert (done["image"] == IMAGE).all()
    assert done["mask"].dtype == np.uint8
    assert 0.15 <= done["mask"].mean() <= 0.6
    seed = pipeline.transforms[0].get_applied_params()["mix_seed"]
    assert (done["mask"] == MaskMix()(cloud(0), seed)).all()


def test_a_seeded_pipeline_repeats_itself_and_goes_on() -> None:
    one, other = (A.Compose([A.HorizontalFlip(p=0.5), MaskMixTransform()], seed=9) for _ in range(2))
    first = [one(image=IMAGE, mask=cloud(0))["mask"] for _ in range(4)]
    second = [other(image=IMAGE, mask=cloud(0))["mask"] for _ in range(4)]
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert len({mask.tobytes() for mask in first}) == 4


def test_several_masks_differ_and_boxes_and_points_stay() -> None:
    pipeline = A.Compose(
        [A.HorizontalFlip(p=0), MaskMixTransform()],
        seed=1,
        bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"]),
        keypoint_params=A.KeypointParams("xy"),
    )
    masks = np.stack([cloud(0)] * 3)
    boxes, points = np.array([[1.0, 2.0, 30.0, 40.0]]), np.array([[5.0, 6.0]])
    done = pipeline(image=IMAGE, masks=masks, bboxes=boxes, labels=[1], keypoints=points)
    assert done["masks"].shape == masks.shape
    assert len({mask.tobytes() for mask in done["masks"]}) == 3
    np.testing.assert_allclose(done["bboxes"], boxes, atol=1e-5)
    np.testing.assert_allclose(done["keypoints"], points, atol=1e-5)


def test_shapes_types_and_a_mask_alone() -> None:
    transform = MaskMixTransform(MixSettings(area=(0.2, 0.3)))
    transform.set_random_seed(4)
    alone = transform(mask=cloud(0, (80, 50)).astype(bool))["mask"]
    assert alone.shape == (80, 50)
    assert 0.2 <= alone.mean() <= 0.3
    transform.set_random_seed(4)
    assert (transform(mask=cloud(0, (80, 50))[..., None])["mask"][..., 0] == alone).all()


def test_it_is_left_out_as_often_as_asked() -> None:
    pipeline = A.Compose([MaskMixTransform(p=0.5)], seed=0)
    same = [(pipeline(image=IMAGE, mask=cloud(0))["mask"] == cloud(0)).all() for _ in range(60)]
    assert 15 < sum(same) < 45


def test_it_can_be_saved_and_loaded() -> None:
    pipeline = A.Compose([MaskMixTransform({"rotate": 10, "ops": ["rotate", "shear"]}, p=1)], seed=2)
    again = A.from_dict(json.loads(json.dumps(A.to_dict(pipeline))))
    again.set_random_seed(2)
    assert again.transforms[0].settings == pipeline.transforms[0].settings
    assert again.transforms[0].settings.rotate == 10
    pipeline.set_random_seed(2)
    assert (again(image=IMAGE, mask=cloud(0))["mask"] == pipeline(image=IMAGE, mask=cloud(0))["mask"]).all()


def test_errors_keep_their_names() -> None:
    with pytest.raises(ConfigError, match=r"config/unknown-key(.|\n)*did you mean 'rotate'"):
        MaskMixTransform({"rotat": 3})
    with pytest.raises(ConfigError, match="config/no-aim"):
        MaskMixTransform({"area": None})
    with pytest.raises(InputError, match="input/seed-values"):
        A.Compose([MaskMixTransform()])(image=IMAGE, mask=cloud(0) * 255)


def test_the_operator_is_had_without_albumentations() -> None:
    code = (
        "import sys; from rsprep.masks.maskmix import MaskMix; assert 'albumentations' not in sys.modules;"
        "import rsprep.masks.maskmix.transform as t; import albumentations.check_version as c; assert c.opener is None"
    )
    quiet = {key: value for key, value in os.environ.items() if key != "NO_ALBUMENTATIONS_UPDATE"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=quiet)
