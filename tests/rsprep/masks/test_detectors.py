"""Cloud detectors of others: called as they want to be, and missed by name."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rsprep.errors import InputError
from rsprep.masks.detectors import DETECTORS, detect, version


class FakeS2Cloudless:
    """Takes the first band for the probability."""

    shapes: list[tuple[int, ...]]

    def __init__(self, **options: Any) -> None:
        assert options == {"threshold": 0.5, "average_over": None, "dilation_size": None, "all_bands": False}

    def get_cloud_probability_maps(self, data: np.ndarray) -> np.ndarray:
        assert data.ndim == 4
        assert data.shape[-1] == 10
        return data[..., 0]


def test_s2cloudless_is_called_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s2cloudless", SimpleNamespace(S2PixelCloudDetector=FakeS2Cloudless))
    bands = np.random.default_rng(0).random((10, 600, 40)).astype(np.float32)
    valid = np.ones((600, 40), bool)
    valid[5:9] = False
    mask = detect("s2cloudless", bands, threshold=0.5, valid=valid)
    assert mask.dtype == np.uint8
    assert (mask == np.where(valid, bands[0] >= 0.5, 255)).all()


def test_omnicloudmask_counts_thick_cloud_only(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = np.array([[[0, 1], [2, 3]]], np.uint8)
    fake = SimpleNamespace(predict_from_array=lambda bands: classes, __version__="1.7.0")
    monkeypatch.setitem(sys.modules, "omnicloudmask", fake)
    assert detect("omnicloudmask", np.zeros((3, 2, 2), np.float32)).tolist() == [[0, 1], [0, 0]]
    assert version("omnicloudmask") == "1.7.0"


@pytest.mark.parametrize("name", list(DETECTORS))
def test_one_that_is_not_installed_is_missed_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, DETECTORS[name].module, None)
    bands = np.zeros((len(DETECTORS[name].bands), 4, 4), np.float32)
    with pytest.raises(InputError, match=r"input/detector-missing.*\n.*got: .*\n.*fix: pip install") as caught:
        detect(name, bands)
    assert caught.value.exit_code == 2
    with pytest.raises(InputError, match="detector-missing"):
        version(name)


def test_the_wrong_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="wants 10 bands"):
        detect("s2cloudless", np.zeros((6, 4, 4), np.float32))


def test_real_s2cloudless_tells_cloud_from_ground() -> None:
    """On planted spectra: bright and high in the cirrus band against dark vegetation."""
    pytest.importorskip("s2cloudless", reason="the extra [clouds] is not installed", exc_type=ImportError)
    cloud = np.array([0.55, 0.55, 0.56, 0.57, 0.6, 0.6, 0.3, 0.03, 0.45, 0.35], np.float32)
    field = np.array([0.11, 0.09, 0.06, 0.1, 0.3, 0.32, 0.1, 0.001, 0.2, 0.1], np.float32)
    bands = np.repeat(np.repeat(field[:, None, None], 300, axis=1), 40, axis=2)
    bands[:, 100:280, 10:30] = cloud[:, None, None]
    wanted = np.zeros((300, 40), np.uint8)
    wanted[100:280, 10:30] = 1
    assert (detect("s2cloudless", bands) == wanted).all()
    assert version("s2cloudless")[0].isdigit()
