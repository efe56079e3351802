"""Learning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planted.planting import WRONG, Plant, edit, value

IMAGE = "tests/rsmodels/metrics/test_image.py"
LINEAGE = "tests/rsmodels/data/test_lineage.py"
SEGMENTS = "tests/rsmodels/metrics/test_segmentation.py"
NORM = edit("rsmodels.nets.norm:_moments", ("table = torch.stack(gathered)", "table = torch.stack([mine, mine])"))


def each_rank_for_itself(rank: int, folder: Path) -> None:
    """What a process of the tests does, with batch norm over its own images."""
    from tests.rsmodels.nets import ranks

    NORM(pytest.MonkeyPatch())
    ranks.main(rank, folder)


def in_the_processes(patch: pytest.MonkeyPatch) -> None:
    """The bug is in the processes that the tests start."""
    import torch.multiprocessing

    start = torch.multiprocessing.spawn
    patch.setattr(torch.multiprocessing, "spawn", lambda work, **rest: start(each_rank_for_itself, **rest))


PLANTS = (
    Plant(
        row=41,
        part="a",
        treatment="chips near a higher split are given up; here they stay",
        mutant=edit(
            "rsprep.ground.splits:assign", ("return split, given_up", "return split, np.zeros(len(row), bool)")
        ),
        tests=("tests/rsprep/ground/test_splits.py::test_splits_keep_their_distance",),
    ),
    Plant(
        row=41,
        part="b",
        treatment="splits are drawn by block; here by chip",
        mutant=edit("rsprep.ground.splits:splits_at", ("Blocks(settings.block_km)", "Blocks(settings.block_km / 10)")),
        tests=("tests/rsprep/ground/test_splits.py::test_splits_keep_their_distance",),
    ),
    Plant(
        row=41,
        part="c",
        treatment="a hash that never changes draws; here Python's own",
        mutant=edit(
            "rsprep.ground.splits:split_of_block",
            (
                'digest = hashlib.blake2b(f"{settings.seed}/{name}".encode(), digest_size=8).digest()',
                'digest = hash((settings.seed, name)).to_bytes(8, "big", signed=True)',
            ),
        ),
        tests=("tests/rsprep/ground/test_splits.py::test_the_hash_is_pinned",),
    ),
    Plant(
        row=42,
        part="a",
        treatment="chips that were seen are not held out; here nobody asks",
        mutant=edit("rsmodels.data.lineage:refuse_leaks", ("if leaks.any():", "if False:")),
        tests=("tests/rsmodels/synth/test_refusals.py::test_a_generator_that_was_trained_on_test_chips_is_refused",),
    ),
    Plant(
        row=42,
        part="b",
        treatment="the same ground counts as seen; here equal pixels only",
        mutant=edit("rsmodels.data.lineage:_leaks", ('    yield "share ground with", _overlapping(seen, held)\n', "")),
        tests=("tests/rsmodels/synth/test_refusals.py::test_a_generator_that_saw_the_ground_of_test_chips_is_refused",),
    ),
    Plant(
        row=42,
        part="c",
        treatment="synthetic chips are of the train split; here they may judge",
        mutant=edit("rsmodels.data.lineage:check_training_mix", ("if outside.any():", "if False:")),
        tests=(f"{LINEAGE}::test_synthetic_chips_judge_nothing",),
    ),
    Plant(
        row=42,
        part="d",
        treatment="what a generator saw goes with its chips; here only the chips themselves count",
        mutant=edit("rsmodels.data.lineage:seen_by", (", seen_behind(source)]", "]")),
        tests=(f"{LINEAGE}::test_synthetic_chips_from_held_out_ones_are_refused",),
    ),
    Plant(
        row=43,
        part="a",
        treatment="labels without an image teach nothing; here they do",
        mutant=edit(
            "rsmodels.tasks.segmentation:seen_labels",
            ("torch.where(batch.valid[IMAGE][:, 0], batch.values[LABEL], IGNORE)", "batch.values[LABEL]"),
        ),
        tests=("tests/rsmodels/tasks/test_segmentation.py::test_pixels_without_an_image_teach_nothing",),
    ),
    Plant(
        row=43,
        part="b",
        treatment="losses are over pixels with data; here over all",
        mutant=edit("rsmodels.losses:_over_valid", ("if valid is None:", "if True:")),
        tests=("tests/rsmodels/test_losses.py::test_l1_is_the_mean_over_valid_pixels",),
    ),
    Plant(
        row=43,
        part="c",
        treatment="a discriminator is not shown what lies under no data; here it is",
        mutant=edit(
            "rsmodels.generators.gan:GanTask.begin",
            ("real=batch.values[IMAGE].clamp(-1, 1) * valid", "real=batch.values[IMAGE]"),
        ),
        tests=("tests/rsmodels/generators/test_gan.py::test_pixels_without_data_change_no_loss",),
    ),
    Plant(
        row=44,
        part="a",
        treatment="what is drawn follows from seed and position; here from the state of the process",
        mutant=edit(
            "rsmodels.data.augment:element_of",
            ("np.random.default_rng((seed, _TURNS, position)).integers(ELEMENTS)", "np.random.randint(ELEMENTS)"),
        ),
        tests=(
            "tests/rsmodels/data/test_augment.py::test_elements_are_drawn_evenly_by_seed_and_position",
            "tests/rsmodels/data/test_loader.py::test_threads_change_nothing[turns]",
        ),
    ),
    Plant(
        row=44,
        part="b",
        treatment="processes share a batch; here each makes the first part of it",
        mutant=edit(
            "rsmodels.data.loader:Loader.make", ("step * self.batch + self.rank * self.share", "step * self.batch")
        ),
        tests=("tests/rsmodels/data/test_loader.py::test_ranks_share_a_batch",),
    ),
    Plant(
        row=45,
        part="a",
        treatment="the range of images is told; here it is guessed from them",
        mutant=edit(
            "rsmodels.metrics.image:psnr",
            ("return 10.0 *", "data_range = float(target.max() - target.min())\n    return 10.0 *"),
        ),
        tests=(f"{IMAGE}::test_psnr_and_ssim_equal_skimage_and_torchmetrics",),
    ),
    Plant(
        row=45,
        part="b",
        treatment="PSNR is a mean over images; here over pixels",
        mutant=edit(
            "rsmodels.metrics.image:ImageScores.compute",
            (
                "if self.equal and self.equal == self.images:",
                'means["psnr"] = 10.0 * float(torch.tensor(255.0**2 / self._means["mse"].value).log10())\n'
                "    if self.equal and self.equal == self.images:",
            ),
        ),
        tests=(f"{IMAGE}::test_psnr_is_a_mean_over_images_not_over_pixels",),
    ),
    Plant(
        row=46,
        part="a",
        treatment="a class that is nowhere is skipped; here it scores 0",
        mutant=edit(
            "rsmodels.metrics.segmentation:Confusion.compute",
            ("np.full(self.n_classes, np.nan)", "np.zeros(self.n_classes)"),
            ("there = union > 0", "there = union >= 0"),
        ),
        tests=(f"{SEGMENTS}::test_a_class_in_neither_is_nan_and_skipped_while_one_only_predicted_counts_as_zero",),
    ),
    Plant(
        row=46,
        part="b",
        treatment="unknown pixels do not count; here they are the last class",
        mutant=edit(
            "rsmodels.metrics.segmentation:Confusion.update",
            (
                "known = truth != self.ignore",
                "known = torch.ones_like(truth, dtype=torch.bool)\n    truth = truth.clamp_max(self.n_classes - 1)",
            ),
        ),
        tests=(f"{SEGMENTS}::test_what_is_predicted_on_unknown_pixels_does_not_matter",),
    ),
    Plant(
        row=46,
        part="c",
        treatment="one matrix for all chips; here only that of the last ones",
        mutant=edit(
            "rsmodels.metrics.segmentation:Confusion.update", ("self.matrix += counts", "self.matrix = counts")
        ),
        tests=(f"{SEGMENTS}::test_one_matrix_for_all_chips_is_not_a_mean_over_chips",),
    ),
    Plant(
        row=47,
        treatment="fewer images than dimensions are refused; here they are taken",
        mutant=edit(
            "rsmodels.metrics.frechet:frechet_distance", ("least = 2 if allow_few else real.dim + 1", "least = 2")
        ),
        tests=("tests/rsmodels/metrics/test_frechet.py::test_too_few_images_are_refused_unless_allowed",),
    ),
    Plant(
        row=48,
        treatment="the mode of batch norm goes with the checkpoint; here it is always the running one",
        mutant=edit("rsmodels.generators.base:GeneratorTask.predict", ('self.settings.statistics == "batch"', "False")),
        tests=("tests/rsmodels/training/test_run.py::test_the_mode_of_batch_norm_is_stored",),
    ),
    Plant(
        row=49,
        treatment="batch norm is over the images of all processes; here each has its own",
        mutant=in_the_processes,
        tests=("tests/rsmodels/nets/test_norm.py::test_two_processes_norm_as_one",),
    ),
    Plant(
        row=50,
        part="a",
        treatment="a chip that stands out among its neighbours is recited; here none ever is",
        mutant=value("rsmodels.metrics.nearest:RECITED", 0.0),
        tests=("tests/rsmodels/metrics/test_nearest.py::test_a_copy_is_found_though_it_was_noised",),
    ),
    Plant(
        row=50,
        part="b",
        treatment="distances to train chips are held against those of real ones; here nobody compares",
        mutant=edit("rsmodels.metrics.nearest:compared", ('(known["made"] < found["real"]["lowest"]).mean()', "0.0")),
        tests=("tests/rsmodels/evaluation/test_generator.py::test_a_generator_that_recites_train_chips_is_found",),
    ),
    Plant(
        row=50,
        part="c",
        treatment="spread is from image to image of one mask; here from pixel to pixel",
        mutant=edit(
            "rsmodels.evaluation.diversity:Diversity.update", ("unit.double().std(dim=0).mean()", "unit.double().std()")
        ),
        tests=(
            "tests/rsmodels/evaluation/test_diversity.py::test_one_image_however_often_it_is_drawn_has_no_diversity",
        ),
    ),
    Plant(
        row=51,
        part="a",
        treatment="hashes tell a torn checkpoint; here the newest is taken as it is",
        mutant=edit(
            "rsmodels.training.checkpoint:verify",
            ("for name, wanted in manifest.files.items():", "for name, wanted in ():"),
        ),
        tests=("tests/rsmodels/training/test_checkpoint.py::test_harm_is_found_and_the_one_before_is_taken",),
    ),
    Plant(
        row=51,
        part="b",
        treatment="a checkpoint is written beside and renamed; here it is written in place",
        mutant=edit(
            "rsmodels.training.checkpoint:write",
            ('partial = home / f".{final.name}.{uuid.uuid4().hex}{SUFFIX}"\n', "partial = final\n"),
            ("partial.mkdir()", "shutil.rmtree(final, ignore_errors=True)\n    partial.mkdir()"),
            (
                "    if final.exists() and _is_whole(final):",
                "    return final\n    if final.exists() and _is_whole(final):",
            ),
        ),
        tests=("tests/rsmodels/training/test_checkpoint.py::test_two_hundred_kills",),
        fails=(*WRONG, "ModelError"),  # the very error of a run without a whole checkpoint
    ),
    Plant(
        row=52,
        part="a",
        treatment="a spectrum of zeros has no angle; here it has one",
        mutant=edit(
            "rsmodels.metrics.image:sam",
            ("ok = ok & (norm_x > 0) & (norm_y > 0)", "pass"),
            ("x / norm_x.where(ok, 1.0), y / norm_y.where(ok, 1.0)", "x / norm_x, y / norm_y"),
        ),
        tests=(f"{IMAGE}::test_spectral_angle_equals_torchmetrics_and_one_zero_pixel_changes_nothing_else",),
    ),
    Plant(
        row=52,
        part="b",
        treatment="the loss leaves spectra of zeros out; here it does not",
        mutant=edit(
            "rsmodels.losses:sam_loss",
            ("seen = (long[0] > TINY) & (long[1] > TINY)", "seen = torch.ones_like(long[0], dtype=torch.bool)"),
        ),
        tests=("tests/rsmodels/test_losses.py::test_sam_by_hand_and_zero_pixels_are_left_out",),
    ),
    Plant(
        row=53,
        part="a",
        treatment="numbers are held within 8 bits before the cast; here they wrap",
        mutant=edit(
            "rsprep.report.colours:to_uint8",
            ("np.clip((values.astype(np.float64) - low) / span, 0.0, 1.0)", "(values.astype(np.float64) - low) / span"),
            ("* 255.0).astype(np.uint8)", "* 255.0).astype(np.int64).astype(np.uint8)"),
        ),
        tests=(
            "tests/rsprep/report/test_render.py::test_to_uint8_is_monotone_and_clamped",
            "tests/rsprep/report/test_render.py::test_bright_cloud_is_white_in_every_channel",
        ),
    ),
    Plant(
        row=53,
        part="b",
        treatment="numbers are held within the type of the store before the cast; here they wrap",
        mutant=edit(
            "rsmodels.data.normalise:_cast",
            (
                "np.clip(np.rint(values.astype(np.float64)), low, high).astype(dtype)",
                "np.rint(values.astype(np.float64)).astype(np.int64).astype(dtype)",
            ),
        ),
        tests=("tests/rsmodels/data/test_normalise.py::test_what_does_not_fit_is_held_before_the_cast",),
    ),
)
