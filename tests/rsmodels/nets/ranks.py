"""What two processes do in the tests; started by their files, each with a whole batch of which it takes its part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rsmodels.errors import ModelError
from rsmodels.losses import cross_entropy, masked_l1
from rsmodels.nets.noise import drawn as noise_of
from rsmodels.nets.norm import BatchNorm2d, Dropout
from rsmodels.nets.rs_spade import RsSpadeGenerator, RsSpadeNetwork
from tests.rsmodels.nets.planted import ALL, drawn

WORLD = 2
BATCH = 5


def norm_of(affine: bool, kind: type[nn.BatchNorm2d]) -> nn.BatchNorm2d:
    torch.manual_seed(1)
    norm = kind(3, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm


def norm_input() -> tuple[Tensor, Tensor]:
    """A batch far from 0, where sums of squares would cancel, and weights of the loss."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn((BATCH, 3, 4, 4), generator=generator) * 0.3 + 1000, torch.randn(
        (BATCH, 3, 4, 4), generator=generator
    )


def normed(norm: nn.BatchNorm2d, part: slice) -> dict[str, Tensor]:
    x, weights = norm_input()
    x = x[part].clone().requires_grad_()
    y = norm(x)
    (y * weights[part]).sum().backward()
    assert x.grad is not None
    found = {"y": y.detach(), "x": x.grad}
    found |= {name: parameter.grad for name, parameter in norm.named_parameters() if parameter.grad is not None}
    return found | {name: buffer.clone() for name, buffer in norm.named_buffers()}


def dropped(part: slice) -> Tensor:
    torch.manual_seed(5)
    result: Tensor = Dropout(0.5)(torch.ones(4, 3, 8, 8)[part])
    return result


def noise(part: slice) -> Tensor:
    torch.manual_seed(5)
    return noise_of((part.stop - part.start, 3), torch.device("cpu"))


def trained(ranks: slice | None) -> dict[str, Tensor]:
    """Gradients and loss of one step of RS-SPADE, of a slice of the batch in its process, or of all in one."""
    torch.manual_seed(0)
    network: nn.Module = RsSpadeGenerator(ALL, 4, 32, RsSpadeNetwork(width=4, hidden=4))
    body = network
    if ranks is not None:
        network = DistributedDataParallel(network)
    part = ranks or slice(None)
    values = {name: tensor[part] for name, tensor in drawn(32, 4).items()}
    generator = torch.Generator().manual_seed(6)
    target = torch.rand((4, 4, 32, 32), generator=generator)[part]
    valid = torch.rand((4, 1, 32, 32), generator=generator) < torch.tensor([0.1, 0.9, 0.5, 1.0])[:, None, None, None]
    labels = torch.where(valid[:, 0], 1, 255)[part]
    torch.manual_seed(7)  # dropout: the same state everywhere
    image = network(values)
    weights = torch.tensor([1.0, 2.0, 1.0, 1.0])
    loss = masked_l1(image, target, valid[part]) + cross_entropy(image, labels, weights)
    loss.backward()
    return {"loss": loss.detach()} | {
        name: parameter.grad.clone() for name, parameter in body.named_parameters() if parameter.grad is not None
    }


def main(rank: int, folder: Path) -> None:
    """One process; leaves what it found in `folder`."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=WORLD)
    unequal = slice(0, 3) if rank == 0 else slice(3, 5)
    half = slice(2 * rank, 2 * rank + 2)
    found: dict[str, Any] = {
        f"norm {affine}": normed(norm_of(affine, BatchNorm2d), unequal) for affine in (True, False)
    }
    rough = norm_of(True, BatchNorm2d)
    y = rough(norm_input()[0][unequal].bfloat16())
    found["rough"] = {"y": y.detach(), "var": rough.running_var}
    alone = norm_of(True, BatchNorm2d)
    if rank == 0:  # the other takes no part
        with torch.no_grad():
            alone(norm_input()[0])
        alone.eval()(norm_input()[0])
    found["dropout"] = dropped(half)
    found["noise"] = noise(half)
    found["trained"] = trained(half)
    try:
        BatchNorm2d(3)(torch.zeros(1 - rank, 3, 1, 1))
    except ModelError as error:
        found["one value"] = error.name
    pair = BatchNorm2d(3)(torch.full((1, 3, 1, 1), float(rank)))
    found["two values"] = pair.detach()
    torch.save(found, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
