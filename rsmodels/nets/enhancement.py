"""The modules of BMMAENet (Wang et al., III): details downward, semantics upward, and the balance of both."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels.nets.criss_cross import CrissCrossAttention

Fusion = Literal["concat", "attention", "adaptive", "literal-eq4"]
Up = Literal["nearest", "unpool"]
REDUCTION = 16
"""Channels of the embedding for each channel of the hidden layer that weighs the decoder's (MMB)."""


class DownwardMicroEnhancement(nn.Module):
    """DME (Eq. 1): what averaging took from a branch's features, brought back from those of twice the resolution.

    fine (B, C, 2y, 2x) and coarse (B, C, y, x) to (B, C, y, x): coarse + RES(α F_d1 + β F_d2), with F_d1 =
    max-pooled fine - coarse, and F_d2 = fine - enlarged coarse, which a convolution of stride 2 brings down. No layer
    has a bias: where both scales tell the same, nothing is added.

    Parameters
    ----------
    channels : C.
    up : how coarse features are enlarged: each pixel four times, or put back where the maximum was, zeros beside it.
    """

    def __init__(self, channels: int, up: Up = "nearest") -> None:
        super().__init__()
        self.up = up
        self.down = nn.Conv2d(channels, channels, 4, 2, 1, bias=False)
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
        )
        self.alpha = nn.Parameter(torch.ones(1))
        self.beta = nn.Parameter(torch.ones(1))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        salient, places = F.max_pool2d(fine, 2, return_indices=True)
        if self.up == "unpool":
            enlarged = F.max_unpool2d(coarse.to(fine.dtype), places, (2, 2))
        else:
            enlarged = F.interpolate(coarse, scale_factor=2, mode="nearest")
        lost = self.alpha * (salient - coarse) + self.beta * self.down(fine - enlarged)
        details = lost + self.residual(lost)
        result: Tensor = coarse + details
        return result


class UpwardMacroEnhancement(nn.Module):
    """UAME (Eqs. 2 to 4): features of the coarser branch, after criss-cross attention, fused with those of the finer.

    macro (B, macro_channels, y, x) and micro (B, C, 2y, 2x) to (B, out_channels, 2y, 2x), out_channels being C but for
    the literal Eq. 4.

    Parameters
    ----------
    macro_channels, channels : of the coarser and the finer branch; the same number if features are to be weighed.
    how : ``concat``, one convolution over both, no attention (the ablation without UAME); ``attention``, the same after
        criss-cross attention (UAME without adaptive selection); ``adaptive``, gates that add up to 1 weigh the
        features of both; ``literal-eq4``, the gates weigh the one-channel maps that they were made from, as Eq. 4 is
        printed, which leaves one channel.
    """

    def __init__(self, macro_channels: int, channels: int, how: Fusion = "adaptive") -> None:
        super().__init__()
        self.how = how
        self.attention = CrissCrossAttention(macro_channels) if how != "concat" else nn.Identity()
        both = macro_channels + channels
        if how in ("concat", "attention"):
            self.join = nn.Conv2d(both, channels, 1)
        else:
            self.transfer = nn.Conv2d(both, 2, 1)  # the two kernels of Eq. 2 as one
        self.out_channels = 1 if how == "literal-eq4" else channels

    def forward(self, macro: Tensor, micro: Tensor) -> Tensor:
        macro = F.interpolate(self.attention(macro), size=micro.shape[-2:], mode="bilinear", align_corners=False)
        both = torch.cat([macro, micro], dim=1)
        if self.how in ("concat", "attention"):
            joined: Tensor = self.join(both)
            return joined
        told = self.transfer(both)
        gates = self.gates(told)
        if self.how == "literal-eq4":
            return torch.sum(told * gates, dim=1, keepdim=True)
        fused: Tensor = macro * gates[:, :1] + micro * gates[:, 1:]
        return fused

    @staticmethod
    def gates(told: Tensor) -> Tensor:
        """Share of the macro and of the micro branch at each pixel (B, 2, y, x), which add up to 1 (Eq. 3)."""
        return told.float().softmax(dim=1).to(told.dtype)


class MacroMicroBalance(nn.Module):
    """MMB (Eqs. 5 to 7): decoded features weighed by place, from the first features, and by channel, from the deepest.

    low (B, C_low, y, x), deep (B, C_deep, v, u) and decoded (B, C, y, x) to (B, C, y, x): F'_l + F'_c + F_dp, where
    F'_l weighs each pixel and F'_c each channel of the decoded features F_dp.
    """

    def __init__(self, deep_channels: int, channels: int) -> None:
        super().__init__()
        hidden = max(1, deep_channels // REDUCTION)
        self.place = nn.Conv2d(2, 1, 7, padding=3)
        self.squeeze = nn.Sequential(nn.Linear(deep_channels, hidden), nn.ReLU())
        self.excite = nn.Linear(hidden, channels)

    def forward(self, low: Tensor, deep: Tensor, decoded: Tensor) -> Tensor:
        by_place = self.places(low)
        by_channel = self.channels(deep)[..., None, None]
        return decoded * by_place + decoded * by_channel + decoded

    def places(self, low: Tensor) -> Tensor:
        """Weight of each pixel, (B, 1, y, x) of 0 to 1 (Eq. 5)."""
        seen = torch.cat([low.amax(dim=1, keepdim=True), low.mean(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.place(seen))

    def channels(self, deep: Tensor) -> Tensor:
        """Weight of each channel of the decoded features, (B, C) of 0 to 1 (Eq. 6)."""
        told = self.squeeze(deep.amax(dim=(2, 3))) + self.squeeze(deep.mean(dim=(2, 3)))
        return torch.sigmoid(self.excite(told))
