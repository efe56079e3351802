from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from rsmodels.errors import ModelError
from rsmodels.nets.noise import drawn
from rsmodels.nets.norm import BatchNorm2d, Dropout
from tests.rsmodels.nets import ranks


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes found, started once for all tests."""
    folder: Path = tmp_path_factory.mktemp("ranks")
    mp.spawn(ranks.main, args=(folder,), nprocs=ranks.WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(ranks.WORLD)]


@pytest.mark.parametrize("affine", [True, False])
def test_two_processes_norm_as_one(found: list[dict[str, Any]], affine: bool) -> None:
    one = ranks.normed(ranks.norm_of(affine, nn.BatchNorm2d), slice(None))
    parts = [part[f"norm {affine}"] for part in found]
    for name in ("y", "x"):
        torch.testing.assert_close(torch.cat([part[name] for part in parts]), one[name], rtol=1e-3, atol=2e-3)
    for name in ("weight", "bias") if affine else ():
        torch.testing.assert_close(parts[0][name] + parts[1][name], one[name], rtol=1e-3, atol=2e-3)
    for part in parts:
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            torch.testing.assert_close(part[name], one[name], rtol=1e-5, atol=1e-5)


def test_two_processes_keep_statistics_in_float32(found: list[dict[str, Any]]) -> None:
    # at 1000, bfloat16 numbers are 4 apart: what it is given is rough, but the statistics of that are exact
    x = ranks.norm_input()[0].bfloat16().float()
    one = ranks.norm_of(True, nn.BatchNorm2d)
    expected = one(x).detach()
    parts = [part["rough"] for part in found]
    assert all(part["y"].dtype == torch.bfloat16 for part in parts)
    torch.testing.assert_close(torch.cat([part["y"] for part in parts]).float(), expected, rtol=0.01, atol=0.01)
    torch.testing.assert_close(parts[0]["var"], one.running_var, rtol=1e-4, atol=1e-4)


def test_two_processes_drop_as_one(found: list[dict[str, Any]]) -> None:
    one = ranks.dropped(slice(None))
    assert torch.equal(torch.cat([part["dropout"] for part in found]), one)
    assert set(one.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(found[0]["dropout"], found[1]["dropout"])


def test_two_processes_draw_as_one(found: list[dict[str, Any]]) -> None:
    torch.manual_seed(5)
    one = drawn((4, 3), torch.device("cpu"))
    assert torch.equal(torch.cat([part["noise"] for part in found]), one)


def test_two_processes_train_rs_spade_as_one(found: list[dict[str, Any]]) -> None:
    one = ranks.trained(None)
    parts = [part["trained"] for part in found]
    assert parts[0].keys() == one.keys()
    torch.testing.assert_close((parts[0]["loss"] + parts[1]["loss"]) / 2, one["loss"])
    for name, gradient in one.items():
        if name != "loss":
            tolerance = 1e-4 * float(gradient.abs().max()) + 1e-7
            torch.testing.assert_close(parts[0][name], gradient, rtol=1e-3, atol=tolerance)
            torch.testing.assert_close(parts[0][name], parts[1][name])


def test_one_value_in_all_processes_is_refused(found: list[dict[str, Any]]) -> None:
    assert [part["one value"] for part in found] == ["model/one-value"] * 2
    # one in each is two in all
    torch.testing.assert_close(
        torch.cat([part["two values"] for part in found])[:, 0, 0, 0], torch.tensor([-1.0, 1.0]), rtol=1e-3, atol=0
    )


def test_one_process_is_the_plain_layer() -> None:
    x = torch.randn(4, 3, 5, 5)
    ours, plain = BatchNorm2d(3), nn.BatchNorm2d(3)
    assert torch.equal(ours(x), plain(x))
    assert torch.equal(ours.eval()(x), plain.eval()(x))
    with pytest.raises(ModelError, match="one-value"):
        ours.train()(x[:1, :, :1, :1])


@pytest.mark.parametrize("affine", [True, False])
def test_bfloat16_keeps_statistics_in_float32(affine: bool) -> None:
    x = (torch.randn(8, 3, 32, 32) * 3 + 40).bfloat16()
    norm, exact = BatchNorm2d(3, affine=affine), nn.BatchNorm2d(3, affine=affine).double()
    y, expected = norm(x), exact(x.double())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.double(), expected, rtol=0.01, atol=0.01)
    assert norm.running_var is not None
    assert exact.running_var is not None
    torch.testing.assert_close(norm.running_var.double(), exact.running_var, rtol=1e-4, atol=1e-4)


def test_dropout_keeps_its_share_and_the_mean() -> None:
    torch.manual_seed(0)
    layer = Dropout(0.3)
    x = torch.ones(8, 16, 32, 32)
    y = layer(x)
    assert float((y == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(y.mean()) == pytest.approx(1, abs=0.01)
    assert layer.eval()(x) is x


def test_dropout_is_the_same_in_any_layout_and_precision() -> None:
    x, layer, masks = torch.ones(4, 16, 8, 8), Dropout(0.5), []
    for tensor in (x, x.contiguous(memory_format=torch.channels_last), x.bfloat16()):
        torch.manual_seed(0)
        masks.append(layer(tensor) == 0)
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[0], masks[2])


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_dropout_of_all_is_a_mistake(share: float) -> None:
    with pytest.raises(ValueError, match="dropout"):
        Dropout(share)
