"""A run does what it was told, can be stopped anywhere, and goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from rsmodels.errors import ModelError, TrainError
from rsmodels.generators.gan import GanTask
from rsmodels.training import checkpoint, run
from rsmodels.training.guard import alone
from rsmodels.training.load import load
from rsmodels.training.log import read_lines
from rsmodels.training.loop import Trainer
from rsmodels.training.run import train
from rsprep.errors import ConfigError, StoreError
from tests.rsmodels.conftest import build_tiny

Small = Callable[..., dict[str, Any]]


def losses(folder: str | Path) -> list[tuple[int, dict[str, float]]]:
    """(step, losses) of every training line."""
    lines = [line for line in read_lines(Path(folder)) if line["kind"] == "train"]
    return [(line["step"], {k: v for k, v in line.items() if k.startswith("loss/")}) for line in lines]


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoint.find(folder).path / "model.safetensors")


@pytest.mark.parametrize("model", ["pix2pix", "rs-spade", "csebgan", "segmentation"])
def test_stopped_and_resumed_is_as_never_stopped(small: Small, model: str) -> None:
    more: dict[str, Any] = {
        "steps": 27, "ema": 0.9, "precision": "bf16", "clip": 1.0, "schedule": {"shape": "cosine", "warmup": 3},
    }  # fmt: skip
    whole = small(model, "whole", **more)
    train(whole)
    parts = small(model, "parts", **more)
    for stop in (5, 7, 0):  # in the middle of an epoch, and again before the next save
        outcome = train({**parts, "max_steps": stop})
        assert outcome.step == (stop or 27)
    assert outcome.finished
    assert len(losses(whole["out"])) == 27
    assert losses(whole["out"])[-20:] == losses(parts["out"])[-20:]
    for name, tensor in weights(whole["out"]).items():
        assert torch.equal(tensor, weights(parts["out"])[name]), name
    for file in ("ema.safetensors", "train_state.safetensors"):
        first, second = (load_file(checkpoint.find(one["out"]).path / file) for one in (whole, parts))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_that_is_done_stays(small: Small) -> None:
    settings = small("pix2pix")
    scores = train(settings).scores
    before = {path: path.read_bytes() for path in Path(settings["out"]).rglob("*") if path.is_file()}
    again = train(settings)
    assert again.finished
    assert again.scores == scores
    assert before == {path: path.read_bytes() for path in Path(settings["out"]).rglob("*") if path.is_file()}


def test_seeds_differ_and_repeat(small: Small) -> None:
    runs = [small("rs-spade", name, seed=seed, steps=3) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for settings in runs:
        train(settings)
    first, again, other = (losses(settings["out"]) for settings in runs)
    assert first == again
    assert first != other


def test_the_number_of_loading_threads_changes_nothing(small: Small) -> None:
    runs = [small("pix2pix", f"t{threads}", steps=4, loading={"threads": threads}) for threads in (1, 3)]
    for settings in runs:
        train(settings)
    assert losses(runs[0]["out"]) == losses(runs[1]["out"])


def test_it_learns(small: Small) -> None:
    settings = small("segmentation", steps=40, save_every=40, network={"width": 8}, optimiser={"lr": 0.01})
    train(settings)
    found = [values["loss/cross_entropy"] for _, values in losses(settings["out"])]
    assert sum(found[-5:]) < 0.8 * sum(found[:5])


def test_what_a_run_leaves(small: Small) -> None:
    settings = small("rs-spade")
    outcome = train(settings)
    out = Path(settings["out"])
    assert {"psnr", "ssim", "sam"} <= set(outcome.scores)
    assert [path.name for path in checkpoint.listed(out)] == ["step-00000006", "step-00000012"]
    assert sorted(path.name for path in (out / "samples").iterdir()) == ["step-00000006.png", "step-00000012.png"]
    page = (out / "report.html").read_text()
    assert "RS-SPADE" in page
    assert "tiny-005" in page  # the first validation chip, by its name
    assert "psnr" in page
    card = (checkpoint.find(out).path / "card.md").read_text()
    for told in ("RS-SPADE, step 12 of 12", "real chips of its train split", "`s2`, bands B02, B03, B04, B08"):
        assert told in card
    parents = json.loads((checkpoint.find(out).path / "parents.json").read_text())
    assert parents["data"][0]["split"] == "train"


def test_a_loss_that_is_no_number_stops_and_keeps_its_batch(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small("pix2pix", steps=9, save_every=3)
    real = GanTask._maker

    def poisoned(self: GanTask, networks: Any, pair: Any) -> Any:
        total, parts = real(self, networks, pair)
        calls.append(1)
        return (total * torch.nan if len(calls) == 5 else total), parts

    calls: list[int] = []
    monkeypatch.setattr(GanTask, "_maker", poisoned)
    with pytest.raises(TrainError, match=r"not-finite.*\n.*\n.*not-finite-00000004"):
        train(settings)
    kept = Path(settings["out"]) / "not-finite-00000004"
    about = json.loads((kept / "about.json").read_text())
    assert (about["step"], about["phase"], len(about["chips"])) == (4, "generator", 4)
    assert load_file(kept / "batch.safetensors")["values/image"].shape == (4, 4, 32, 32)
    assert checkpoint.find(settings["out"]).step == 3
    monkeypatch.setattr(GanTask, "_maker", real)
    assert train(settings).finished  # the same command goes on


def test_it_stops_in_time(small: Small) -> None:
    settings = small("pix2pix", steps=100_000, save_every=50_000)
    outcome = train({**settings, "max_time": 1.0})
    assert not outcome.finished
    assert checkpoint.find(settings["out"]).step == outcome.step > 0


def test_an_interrupt_saves_first(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small("pix2pix", save_every=100)
    real = Trainer.train_step

    def interrupted(self: Trainer, batch: Any) -> None:
        real(self, batch)
        if self.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(settings)
    assert checkpoint.find(settings["out"]).step == 5
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("chips")]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_two_phases_learn_apart(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each phase the weights of that phase alone change."""
    changed: list[tuple[str, list[str]]] = []
    real = Trainer._learn

    def watched(self: Trainer, phase: Any, batch: Any, state: Any, rate: float) -> None:
        def sums() -> dict[str, float]:
            return {
                name: sum(float(w.detach().double().abs().sum()) for w in network.parameters())
                for name, network in self.task.networks.items()
            }

        before = sums()
        real(self, phase, batch, state, rate)
        changed.append((phase.name, [name for name, total in sums().items() if total != before[name]]))

    monkeypatch.setattr(Trainer, "_learn", watched)
    train(small("rs-spade", steps=2, save_every=9))
    assert changed == 2 * [("discriminator", ["discriminator"]), ("generator", ["generator"])]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"model": "rs-spad"}, "model/no-such-model"),
        ({"preset": "huge"}, "model/no-such-preset"),
        ({"steps": 0}, "config/how-long"),
        ({"epochs": 3}, "config/how-long"),
        ({"network": {"wdith": 3}}, "config/unknown-key"),
        ({"conditions": ["landcover", "landcover"]}, "config/bad-conditions"),
        ({"conditions": []}, "config/bad-conditions"),
        ({"ratio": "1:2"}, "config/bad-ratio"),
        ({"bands": ["B02", "B99"]}, "model/no-such-band"),
        ({"image": "s3"}, "model/no-such-field"),
        ({"batch": 3, "devices": 2}, "config/bad-batch"),
        ({"data": ["nowhere"]}, "store/not-found"),
        ({"split": "all"}, "config/bad-split"),
        ({"device": "cuda"}, "model/no-gpu"),
        ({"discriminator": {"width": 4, "downs": 6}}, "model/odd-size"),
        ({"class_weights": "root"}, "config/unknown-key"),
    ],
)
def test_wrong_settings_leave_nothing(small: Small, more: dict[str, Any], name: str) -> None:
    settings = {**small("rs-spade"), **more}
    with pytest.raises((ModelError, ConfigError, StoreError)) as caught:
        train(settings)
    assert caught.value.name == name
    assert caught.value.exit_code == 2
    assert not Path(settings["out"]).exists()


def test_other_settings_than_before(small: Small) -> None:
    settings = small("pix2pix", steps=3)
    train(settings)
    with pytest.raises(ModelError, match=r"other-settings[\s\S]*seed: 0 before, 5 now"):
        train({**settings, "seed": 5})
    with pytest.raises(ModelError, match=r"network.width: 4 before, 8 now"):
        train({**settings, "network": {"width": 8}})
    train({**settings, "save_every": 2, "loading": {"threads": 1}})


def test_other_data_than_before(small: Small, tmp_path: Path) -> None:
    data = build_tiny(tmp_path / "own" / "tiny")
    settings = small("pix2pix", data=[str(data)])
    train({**settings, "max_steps": 3})
    shutil.rmtree(data)
    build_tiny(data, seed=3)
    with pytest.raises(ModelError, match="other-data"):
        train(settings)


def test_a_run_goes_on_where_its_data_lie_now(small: Small, tmp_path: Path) -> None:
    data = build_tiny(tmp_path / "own" / "tiny")
    settings = small("pix2pix", data=[str(data)])
    train({**settings, "max_steps": 3})
    moved = data.rename(tmp_path / "moved")
    assert train({**settings, "data": [str(moved)]}).finished


def test_a_folder_with_other_things(small: Small, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    with pytest.raises(ModelError, match="not-a-run"):
        train(small("pix2pix"))


def test_two_at_once(small: Small) -> None:
    settings = small("pix2pix")
    with alone(Path(settings["out"])), pytest.raises(ModelError, match="run-locked"):
        train(settings)


def test_data_sets_that_overlap(small: Small, tmp_path: Path, tiny_dataset: Path) -> None:
    """Another data set of the same ground, dealt out otherwise: some it trains on lie on the first one's test chips."""
    other = build_tiny(tmp_path / "other" / "tiny", seed=4, shift=1)
    with pytest.raises(ModelError, match="saw-held-out"):
        train(small("pix2pix", data=[str(tiny_dataset), str(other)]))
    with pytest.raises(ModelError, match="same-data-set"):
        train(small("pix2pix", data=[str(tiny_dataset), str(tiny_dataset)]))


# -- loading --------------------------------------------------------------------------------------


def test_a_loaded_model_gives_what_the_run_had(small: Small, tiny_dataset: Path) -> None:
    settings = small("rs-spade", ema=0.5, precision="bf16")
    outcome = train(settings)
    trained = load(settings["out"])
    assert trained.kind == "generator"
    source = run.gather(trained.settings).sources[0]
    batches = list(run.sweep(source, source.of_split("val")[:4], trained.fields, trained.normaliser, batch=4))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        scores = trained.task.score(trained.network, batches)
    assert scores["psnr"] == pytest.approx(outcome.scores["psnr"], abs=1e-6)
    images = [trained.generate(batches[0]) for _ in range(2)]
    assert torch.equal(*images)
    with pytest.raises(ModelError, match="not-a-segmenter"):
        trained.segment(batches[0])


def test_the_mode_of_batch_norm_is_stored(small: Small) -> None:
    """A generator may use the statistics of the batch, as pix2pix did; which it is, goes with the checkpoint."""
    made = {}
    for statistics in ("running", "batch"):
        settings = small("pix2pix", statistics, statistics=statistics)
        train(settings)
        trained = load(settings["out"])
        before = {name: buffer.clone() for name, buffer in trained.network.named_buffers()}
        source = run.gather(trained.settings).sources[0]
        batch = next(iter(run.sweep(source, source.of_split("train")[:4], trained.fields, trained.normaliser, batch=4)))
        one = next(iter(run.sweep(source, source.of_split("train")[:2], trained.fields, trained.normaliser, batch=2)))
        made[statistics] = trained.generate(batch)
        alone = trained.generate(one)
        assert torch.allclose(made[statistics][:2], alone, atol=1e-5) == (statistics == "running")
        assert not any(module.training for module in trained.network.modules() if isinstance(module, nn.BatchNorm2d))
        buffers = {n: b for n, b in trained.network.named_buffers() if "num_batches" not in n}
        assert all(torch.equal(buffer, before[name]) for name, buffer in buffers.items())
    assert not torch.equal(made["running"], made["batch"])


def test_settings_survive_in_the_checkpoint(small: Small) -> None:
    settings = small("segmentation", steps=2, save_every=2)
    train(settings)
    record = yaml.safe_load(checkpoint.read_text(checkpoint.find(settings["out"]), "config.yaml"))
    assert load(settings["out"]).settings.model_dump(mode="json") == record


def test_a_checkpoint_between_two_lines_changes_no_mean(small: Callable[..., dict[str, Any]]) -> None:
    """The clock starts anew after a checkpoint; losses are means over all steps since the last line all the same."""

    def losses(**often: int) -> list[float]:
        run = train(small("segmentation", f"every-{often['save_every']}", log_every=4, steps=8, **often)).run
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [line["loss/cross_entropy"] for line in lines if line["kind"] == "train"]

    assert losses(save_every=6) == losses(save_every=8)
