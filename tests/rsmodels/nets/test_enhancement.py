"""The modules of BMMAENet against its equations, by hand and by slow references."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from rsmodels.nets.enhancement import DownwardMicroEnhancement, MacroMicroBalance, UpwardMacroEnhancement


def test_two_scales_that_tell_the_same_have_no_detail() -> None:
    torch.manual_seed(0)
    module = DownwardMicroEnhancement(4)
    coarse = torch.randn(2, 4, 6, 6)
    fine = F.interpolate(coarse, scale_factor=2, mode="nearest")
    assert torch.equal(module(fine, coarse), coarse)


def test_details_are_those_of_equation_1() -> None:
    torch.manual_seed(1)
    module = DownwardMicroEnhancement(3)
    torch.nn.init.constant_(module.alpha, 0.5)
    torch.nn.init.constant_(module.beta, 2.0)
    fine, coarse = torch.randn(1, 3, 4, 6), torch.randn(1, 3, 2, 3)
    salient = fine.reshape(1, 3, 2, 2, 3, 2).amax(dim=(3, 5))
    enlarged = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    lost = 0.5 * (salient - coarse) + 2 * F.conv2d(fine - enlarged, module.down.weight, stride=2, padding=1)
    first, _, second = module.residual
    details = lost + F.conv2d(F.conv2d(lost, first.weight, padding=1).relu(), second.weight, padding=1)
    torch.testing.assert_close(module(fine, coarse), coarse + details)


def test_unpooling_puts_values_back_where_the_maximum_was() -> None:
    module = DownwardMicroEnhancement(1, up="unpool")
    torch.nn.init.zeros_(module.alpha)
    torch.nn.init.zeros_(module.residual[2].weight)
    torch.nn.init.ones_(module.down.weight)
    fine = torch.tensor([[[[1.0, 0], [0, 0]]]])
    # fine - unpooled is 1 - 5 where the maximum is and 0 beside it
    assert module(fine, torch.tensor([[[[5.0]]]])).item() == pytest.approx(5 + (1 - 5))


def test_gates_add_up_to_one_and_weigh_the_features() -> None:
    torch.manual_seed(2)
    module = UpwardMacroEnhancement(4, 4)
    torch.nn.init.constant_(module.attention.scale, 0.3)
    macro, micro = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 6, 6)
    seen = F.interpolate(module.attention(macro), scale_factor=2, mode="bilinear", align_corners=False)
    gates = module.gates(module.transfer(torch.cat([seen, micro], dim=1)))
    torch.testing.assert_close(gates.sum(dim=1), torch.ones(2, 6, 6))
    torch.testing.assert_close(module(macro, micro), seen * gates[:, :1] + micro * gates[:, 1:])


def test_the_literal_equation_4_weighs_the_maps_and_leaves_one_channel() -> None:
    torch.manual_seed(3)
    module = UpwardMacroEnhancement(4, 4, "literal-eq4")
    macro, micro = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 6, 6)
    seen = F.interpolate(macro, scale_factor=2, mode="bilinear", align_corners=False)
    told = F.conv2d(torch.cat([seen, micro], dim=1), module.transfer.weight, module.transfer.bias)
    a, b = told[:, 0].exp(), told[:, 1].exp()
    expected = (told[:, 0] * a + told[:, 1] * b) / (a + b)
    torch.testing.assert_close(module(macro, micro), expected[:, None])
    assert module.out_channels == 1


def test_without_adaptive_selection_one_convolution_joins_both() -> None:
    torch.manual_seed(4)
    attentive, plain = (UpwardMacroEnhancement(4, 6, how) for how in ("attention", "concat"))
    torch.nn.init.ones_(attentive.attention.scale)
    plain.join.load_state_dict(attentive.join.state_dict())
    macro, micro = torch.randn(1, 4, 2, 2), torch.randn(1, 6, 4, 4)
    torch.testing.assert_close(attentive(macro, micro), plain(attentive.attention(macro), micro))
    assert not list(plain.attention.parameters())


def test_balance_is_that_of_equations_5_to_7() -> None:
    torch.manual_seed(5)
    module = MacroMicroBalance(32, 3)
    low, deep, decoded = torch.randn(2, 5, 8, 8), torch.randn(2, 32, 2, 2), torch.randn(2, 3, 8, 8)
    pooled = torch.stack([low.max(dim=1).values, low.mean(dim=1)], dim=1)
    by_place = F.conv2d(pooled, module.place.weight, module.place.bias, padding=3).sigmoid()
    layer = module.squeeze[0]
    hidden = [
        F.linear(one, layer.weight, layer.bias).relu() for one in (deep.flatten(2).max(2).values, deep.mean((2, 3)))
    ]
    by_channel = F.linear(sum(hidden), module.excite.weight, module.excite.bias).sigmoid()
    expected = decoded * by_place + decoded * by_channel[:, :, None, None] + decoded
    torch.testing.assert_close(module(low, deep, decoded), expected)
