"""MaskMix: new occlusion masks from real ones (Eq. 7 of the coarse-to-fine inpainting paper)."""

from rsprep.masks.maskmix.mix import MaskMix, Mixed
from rsprep.masks.maskmix.recipe import Recipe, Step
from rsprep.masks.maskmix.seeds import Seeds, prepare
from rsprep.masks.maskmix.settings import MixSettings

__all__ = ["MaskMix", "MixSettings", "Mixed", "Recipe", "Seeds", "Step", "prepare"]
