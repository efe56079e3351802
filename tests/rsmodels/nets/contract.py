"""What every generator that paints a label map keeps to; the tests of each subclass this."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.noise import NoiseForm
from tests.rsmodels.nets.planted import ALL, LAND, assert_all_learn

SIDE = 64
BANDS = 4
UNKNOWN = 255


def regions(side: int = SIDE, batch: int = 4, *, seed: int = 0) -> dict[str, Tensor]:
    """Label maps of a few large regions with all classes among them, unknown, too."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, LAND.channels + 1, (batch, 4, 4), generator=generator)
    coarse.view(-1)[: LAND.channels + 1] = torch.arange(LAND.channels + 1)
    labels = coarse.repeat_interleave(side // 4, 1).repeat_interleave(side // 4, 2)
    return {"landcover": torch.where(labels == LAND.channels, UNKNOWN, labels)}


def halves(left: int, right: int, side: int = SIDE) -> dict[str, Tensor]:
    """One map of two classes."""
    labels = torch.full((1, side, side), left)
    labels[:, :, side // 2 :] = right
    return {"landcover": labels}


class PaintsLabels:
    """A generator of one label map; subclasses say which, narrow enough for a test."""

    generator: type[nn.Module]
    network: type[Any]
    narrow: dict[str, Any]
    noise: tuple[int, ...] | None = None
    by_class = False

    def made(self, side: int = SIDE, **settings: Any) -> nn.Module:
        torch.manual_seed(0)
        return self.generator((LAND,), BANDS, side, self.network(**{**self.narrow, **settings}))

    def given(self, network: nn.Module, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Its noise for so many chips, where it takes any."""
        form = getattr(network, "noise", None)
        return () if form is None else (form.seeded(range(seed, seed + batch)),)

    @pytest.mark.parametrize("side", [32, SIDE])
    def test_an_image_of_the_chips_size(self, side: int) -> None:
        network = self.made(side)
        image = network(regions(side), *self.given(network, 4))
        assert image.shape == (4, BANDS, side, side)
        assert image.dtype == torch.float32
        assert float(image.detach().abs().max()) <= 1

    def test_other_sizes_are_refused(self) -> None:
        with pytest.raises(ModelError, match="odd-size"):
            self.made(40)
        network = self.made()
        with pytest.raises(ModelError, match="odd-size"):
            network(regions(60))
        with pytest.raises(ModelError, match="odd-size"):
            network.refuses(40)  # type: ignore[operator]
        network.refuses(96)  # type: ignore[operator]

    def test_one_label_map_is_what_it_takes(self) -> None:
        with pytest.raises(ModelError, match="not-one-label-map"):
            self.generator(ALL, BANDS, SIDE, self.network(**self.narrow))

    def test_all_weights_learn(self) -> None:
        network = self.made()
        assert_all_learn(network, network(regions(), *self.given(network, 4)))

    def test_unknown_is_painted_as_a_class_of_its_own(self) -> None:
        network = self.made().eval()
        noise = self.given(network, 1)
        with torch.no_grad():
            image, other = (network(halves(3, right), *noise) for right in (UNKNOWN, 0))
            odd = network({"landcover": torch.where(halves(3, 0)["landcover"] == 0, 200, 3)}, *noise)
        assert bool(image.isfinite().all())
        assert not torch.allclose(image[..., SIDE // 2 :], other[..., SIDE // 2 :])
        torch.testing.assert_close(odd, image)  # whatever is no class is unknown

    def test_memory_order_and_precision_change_little(self) -> None:
        network = self.made().eval()  # in training, each pass takes a step towards the spectral norm
        noise = self.given(network, 4)
        with torch.no_grad():
            expected = network(regions(), *noise)
            last = network.to(memory_format=torch.channels_last)
            torch.testing.assert_close(last(regions(), *noise), expected, rtol=1e-3, atol=1e-4)
            with torch.autocast("cpu", torch.bfloat16):
                rough = last(regions(), *noise)
        assert float((rough - expected).abs().mean()) < 0.05

    def test_noise(self) -> None:
        network = self.made()
        form: NoiseForm | None = getattr(network, "noise", None)
        if self.noise is None:
            assert form is None
            return
        assert form == NoiseForm(shape=self.noise, by_class=self.by_class)
        network.eval()
        with torch.no_grad():
            one, same, other = (network(regions(), *self.given(network, 4, seed)) for seed in (1, 1, 9))
            torch.manual_seed(1)
            drawn, drawn_next = network(regions()), network(regions())
        assert torch.equal(one, same)
        assert float((one - other).abs().mean()) > 1e-3
        assert float((drawn - drawn_next).abs().mean()) > 1e-3
