"""MaskMix as a transform of albumentations, for use inside a training loop.

Import it by its own name: the rest of rsprep does without albumentations, whose import takes a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.masks.maskmix.mix import MaskMix
from rsprep.masks.maskmix.settings import MixSettings
from rsprep.settings import make_settings

# On import albumentations asks the network whether there is a newer release, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from albumentations import BasicTransform


class MaskMixTransform(BasicTransform):  # type: ignore[misc]  # albumentations has no types
    """Replaces `mask`, and each of `masks`, by a mask that MaskMix makes of it; all other targets stay as they are.

    Parameters
    ----------
    settings : a MixSettings, or its values by name, as in a recipe.
    p : how often it is applied.

    Masks are (y, x) or (y, x, 1), bool or 0 and 1; results are uint8 of the same shape. Random numbers are
    those of the surrounding ``Compose(..., seed=...)``. Errors are those of MaskMix.

    Examples
    --------
    >>> import albumentations as A
    >>> from rsprep.masks.maskmix.transform import MaskMixTransform
    >>> pipeline = A.Compose([A.HorizontalFlip(), MaskMixTransform({"area": [0.2, 0.5]})], seed=7)
    >>> mask = pipeline(image=image, mask=cloud)["mask"]
    """

    def __init__(self, settings: MixSettings | Mapping[str, Any] | None = None, p: float = 1.0) -> None:
        super().__init__(p=p)
        if not isinstance(settings, MixSettings):
            settings = make_settings(MixSettings, dict(settings or {}))
        self.settings = settings
        self._mixer = MaskMix(settings)

    @property
    def targets(self) -> dict[str, Callable[..., Any]]:
        """What is changed."""
        return {"mask": self.apply_to_mask, "masks": self.apply_to_masks}

    def get_params(self) -> dict[str, Any]:
        """One seed a call; masks of one call differ by their index."""
        return {"mix_seed": self.py_random.getrandbits(63)}

    def update_transform_params(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Nothing to add: no image is needed."""
        return params

    def apply_to_mask(self, mask: NDArray[Any], mix_seed: int, index: int = 0, **_: Any) -> NDArray[np.uint8]:
        flat = mask[..., 0] if mask.ndim == 3 and mask.shape[2] == 1 else mask
        return self._mixer(flat, mix_seed, index).reshape(mask.shape)

    def apply_to_masks(self, masks: NDArray[Any], mix_seed: int, **_: Any) -> NDArray[np.uint8]:
        return np.stack([self.apply_to_mask(mask, mix_seed, index) for index, mask in enumerate(masks)])

    def get_transform_init_args(self) -> dict[str, Any]:
        """Plain values, for ``albumentations.to_dict`` and ``save``."""
        return {"settings": self.settings.model_dump(mode="json")}
