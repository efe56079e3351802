"""Sentinel-2, Sentinel-1 and land cover."""

from __future__ import annotations

import datetime as dt

from tests.planted.planting import Plant, both, edit, value

S2 = "tests/rsprep/products/test_sentinel2.py"
S1 = "tests/rsprep/products/test_sentinel1.py"
COVER = "tests/rsprep/products/test_landcover.py"
PASSES = "tests/rsprep/products/test_acquisitions.py"

PLANTS = (
    Plant(
        row=9,
        part="a",
        treatment="an offset that the provider took off is not taken off again; here it is",
        mutant=edit("rsprep.products.sentinel2:_decide_offset", ("if done:", "if False:")),
        tests=(f"{S2}::test_same_reflectance_whatever_the_baseline_and_the_provider",),
        fails=("AssertionError", "Failed", "ItemError"),  # a baseline that is not known settles nothing any more
    ),
    Plant(
        row=9,
        part="b",
        treatment="the baseline decides; here the date of sensing does",
        mutant=edit(
            "rsprep.products.sentinel2:_decide_offset",
            (
                "if baseline < FIRST_OFFSET_BASELINE:",
                'if str(properties.get("datetime", "")) < "2022-01-25":',
            ),
        ),
        tests=(f"{S2}::test_same_reflectance_whatever_the_baseline_and_the_provider",),
    ),
    Plant(
        row=10,
        treatment="nodata is masked before the offset; here 0 becomes −1000",
        mutant=edit(
            "rsprep.products.sentinel2:_reflectance",
            ("np.int32(NODATA) if line[k] == nodata else value", "value"),
        ),
        tests=(f"{S2}::test_nodata_is_masked_before_the_offset", f"{S2}::test_reflectance_equals_the_definition"),
    ),
    Plant(
        row=11,
        treatment="reflectance is signed; here what is dark is cut off at 0",
        mutant=edit(
            "rsprep.products.sentinel2:_reflectance",
            ("max(line[k] + offset, np.int32(NODATA + 1))", "max(line[k] + offset, np.int32(0))"),
        ),
        tests=(f"{S2}::test_dark_pixels_stay_below_zero",),
    ),
    Plant(
        row=12,
        part="a",
        treatment="classes are copied from the nearest pixel; here they may be interpolated",
        mutant=edit("rsprep.reading.warp:_check", ('if categorical and resampling != "nearest":', "if False:")),
        tests=("tests/rsprep/reading/test_warp.py::test_classes_are_only_ever_copied",),
    ),
    Plant(
        row=12,
        part="b",
        treatment="cloud shadow (3) is masked; here it is clear",
        mutant=value("rsprep.products.sentinel2:SCL_NOT_CLEAR", (0, 1, 8, 9, 10)),
        tests=(f"{S2}::test_clear_classes",),
    ),
    Plant(
        row=12,
        part="c",
        treatment="values beyond 0–11 are refused; here they are looked up",
        mutant=edit(
            "rsprep.products.sentinel2:_scene_classes",
            ("if scl.size and (scl.min() < 0 or scl.max() >= len(SCL_CLASSES)):", "if False:"),
        ),
        tests=(f"{S2}::test_scene_classes_that_do_not_exist_are_refused",),
    ),
    Plant(
        row=12,
        part="d",
        treatment="a source may not ask for classes to be interpolated; here it may",
        mutant=edit(
            "rsprep.reading.spec:BandSpec.__post_init__",
            ('if self.categorical and self.resampling != "nearest":', "if False:"),
        ),
        tests=("tests/rsprep/reading/test_bands.py::test_classes_with_an_interpolating_kernel_are_refused",),
    ),
    Plant(
        row=13,
        part="a",
        treatment="pixels of full resolution are read; here an overview where the target is coarser",
        mutant=edit(
            "rsprep.reading.files:_read",
            (
                "window=PixelWindow.from_slices(part.rows, part.columns))",
                "window=PixelWindow.from_slices(part.rows, part.columns), "
                "out_shape=(part.shape[0] // 4, part.shape[1] // 4)).repeat(4, 0).repeat(4, 1)",
            ),
            ("if values.shape != part.shape:", "values = np.resize(values, part.shape)\n    if False:"),
        ),
        tests=("tests/rsprep/reading/test_files.py::test_classes_never_come_from_overviews",),
    ),
    Plant(
        row=13,
        part="b",
        treatment="continuous bands are averaged where the target is coarser; here they are interpolated",
        mutant=edit(
            "rsprep.reading.warp:suited",
            ('return "average" if ratio >= AVERAGE_FROM - 1e-6 else resampling', "return resampling"),
        ),
        tests=(
            "tests/rsprep/reading/test_warp.py::"
            "test_interpolation_gives_way_to_the_average_when_the_target_is_much_coarser",
        ),
    ),
    Plant(
        row=13,
        part="c",
        treatment="classes are never averaged; here they are, where the target is coarser",
        mutant=edit(
            "rsprep.reading.warp:suited", ('if resampling in ("nearest", "average"):', 'if resampling == "average":')
        ),
        tests=(
            "tests/rsprep/reading/test_warp.py::"
            "test_interpolation_gives_way_to_the_average_when_the_target_is_much_coarser",
        ),
    ),
    Plant(
        row=14,
        part="a",
        treatment="an acquisition that is published twice counts once; here twice",
        mutant=value("rsprep.products.acquisitions:_is_duplicate", lambda look, rival: False),
        tests=(f"{PASSES}::test_newest_baseline_of_an_acquisition_wins",),
    ),
    Plant(
        row=14,
        part="b",
        treatment="the newest baseline wins; here the last id",
        mutant=value("rsprep.products.acquisitions:_newness", lambda granule, key: ((0, 0), "", granule.id)),
        tests=(f"{PASSES}::test_newest_baseline_of_an_acquisition_wins",),
    ),
    Plant(
        row=15,
        part="a",
        treatment="both halves of a split granule stay; here one is taken for a copy of the other",
        mutant=both(
            value("rsprep.products.acquisitions:COVERED", 0.0),
            value("rsprep.products.acquisitions:SAME_STRIP", dt.timedelta(days=1)),
        ),
        tests=(f"{PASSES}::test_both_halves_of_a_split_granule_stay",),
    ),
    Plant(
        row=15,
        part="b",
        treatment="what one pass sees is one image; here every granule is its own",
        mutant=edit(
            "rsprep.products.acquisitions:by_date",
            ("if number == 0 or granule.datetime - track[number - 1].datetime > SAME_PASS:", "if True:"),
        ),
        tests=(f"{PASSES}::test_a_pass_is_one_date_and_passes_stay_apart",),
    ),
    Plant(
        row=15,
        part="c",
        treatment="a mosaic goes on where granules left a gap; here it ends with the first",
        mutant=edit("rsprep.job.passes:lay", ("    for granule in group:\n", "    for granule in group[:1]:\n")),
        tests=("tests/rsprep/job/test_passes.py::test_a_mosaic_has_no_seam",),
    ),
    Plant(
        row=16,
        part="a",
        treatment="what is not above 0 is nodata; here it is power",
        mutant=both(
            edit(
                "rsprep.products.sentinel1:_to_power",
                ("measured > 0 and ", "measured >= 0 and "),
                ("number != missing", "True"),
            ),
            edit(
                "rsprep.products.sentinel1:decibel",
                (
                    "np.broadcast_to(valid, power.shape) & (power > 0) & np.isfinite(power)",
                    "np.broadcast_to(valid, power.shape)",
                ),
                (
                    "    np.log10(power, out=out, where=known)\n",
                    "    with np.errstate(divide='ignore'):\n        np.log10(power, out=out, where=known)\n",
                ),
            ),
        ),
        tests=(
            f"{S1}::test_zero_border_becomes_nodata_and_never_minus_infinity",
            f"{S1}::test_what_is_no_power_is_nodata",
        ),
    ),
    Plant(
        row=16,
        part="b",
        treatment="the dark seam beside zeros is taken off; here it stays",
        mutant=edit("rsprep.products.sentinel1:erode_border", ("if pixels == 0 or bool(valid.all()):", "if True:")),
        tests=(f"{S1}::test_zero_border_becomes_nodata_and_never_minus_infinity",),
    ),
    Plant(
        row=17,
        treatment="dates are averaged in power; here in dB",
        mutant=both(
            edit(
                "rsprep.products.sentinel1:PowerMean.add",
                (
                    "np.add(self._sum, power, out=self._sum, where=valid)",
                    "np.add(self._sum, np.log10(np.maximum(power, 1e-30)), out=self._sum, where=valid)",
                ),
            ),
            edit(
                "rsprep.products.sentinel1:PowerMean.mean",
                ("(self._sum / np.maximum(self.count, 1))", "(10.0 ** (self._sum / np.maximum(self.count, 1)))"),
            ),
        ),
        tests=(f"{S1}::test_mean_is_taken_in_power",),
    ),
    Plant(
        row=18,
        part="a",
        treatment="ground range is not taken for terrain corrected; here it is",
        mutant=edit("rsprep.products.sentinel1:describe", ('if kind == "grd":', "if False:")),
        tests=(f"{S1}::test_ground_range_is_not_taken_as_terrain_corrected",),
    ),
    Plant(
        row=18,
        part="b",
        treatment="sigma0 and gamma0 are not mixed; here they are",
        mutant=edit(
            "rsprep.products.sentinel1:describe", ("if told is not None and _plain(told) != calibration:", "if False:")
        ),
        tests=(f"{S1}::test_sigma0_among_gamma0_is_refused",),
    ),
    Plant(
        row=19,
        part="a",
        treatment="one orbit direction is taken; here all",
        mutant=edit(
            "rsprep.products.sentinel1:pick_orbit", ("return best, groups[best]", "return best, list(granules)")
        ),
        tests=(f"{S1}::test_orbit_that_covers_more_is_taken_alone_and_recorded",),
    ),
    Plant(
        row=19,
        part="b",
        treatment="directions that are mixed are refused; here they are not",
        mutant=edit("rsprep.products.sentinel1:describe", ("if len(orbits) > 1:", "if False:")),
        tests=(f"{S1}::test_orbit_that_covers_more_is_taken_alone_and_recorded",),
    ),
    Plant(
        row=20,
        treatment="masked pixels are 255 and no observation; here they are water",
        mutant=both(
            edit("rsprep.products.landcover:check_labels", ("histogram[len(CLASSES) : NODATA].any()", "False")),
            edit(
                "rsprep.products.landcover:_count",
                ("if labels[y, x] != NODATA:", "if True:"),
                ("votes[labels[y, x], y, x] += 1", "votes[labels[y, x] if labels[y, x] != NODATA else 0, y, x] += 1"),
            ),
        ),
        tests=(f"{COVER}::test_masked_pixels_never_become_water",),
    ),
    Plant(
        row=21,
        part="a",
        treatment="a code that the table lacks raises; here it passes",
        mutant=edit("rsprep.products.crosswalk:Crosswalk._look_up", ("if wrong.any():", "if False:")),
        tests=("tests/rsprep/products/test_crosswalk.py::test_every_value_maps_as_documented_or_raises",),
    ),
    Plant(
        row=21,
        part="b",
        treatment="labels of another coding are refused; here they are counted",
        mutant=edit("rsprep.products.landcover:check_labels", ("histogram[len(CLASSES) : NODATA].any()", "False")),
        tests=(f"{COVER}::test_labels_of_another_coding_are_refused",),
    ),
    Plant(
        row=22,
        treatment="mean probability is a method of its own; here each date votes for its class",
        mutant=edit(
            "rsprep.products.landcover:ProbabilityMean.add",
            (
                "np.add(self._sum, probabilities / np.where(seen, total, 1), out=self._sum, where=seen)",
                "top = probabilities == probabilities.max(axis=0)\n"
                "    np.add(self._sum, top, out=self._sum, where=seen)",
            ),
        ),
        tests=(f"{COVER}::test_mode_and_mean_probability_differ",),
    ),
    Plant(
        row=23,
        treatment="a pixel without observations has no label; here the first class",
        mutant=edit(
            "rsprep.products.landcover:_largest", ("best if count[y, x] >= min_observations else NODATA", "best")
        ),
        tests=(f"{COVER}::test_no_observation_is_not_water",),
    ),
    Plant(
        row=24,
        part="a",
        treatment="probabilities that do not sum to 1 are refused; here they are taken",
        mutant=edit("rsprep.products.landcover:check_probabilities", ("if wrong.any():", "if False:")),
        tests=(
            f"{COVER}::test_probabilities_that_are_none_are_refused[wrong0]",
            "tests/rsprep/job/test_labels.py::test_wrong_probabilities_cost_the_chips_of_their_granule_only",
        ),
    ),
    Plant(
        row=24,
        part="b",
        treatment="probabilities that were rounded are divided by their sum; here they are not",
        mutant=edit(
            "rsprep.products.landcover:ProbabilityMean.add",
            ("probabilities / np.where(seen, total, 1)", "probabilities"),
        ),
        tests=(f"{COVER}::test_probabilities_are_renormalised_within_the_tolerance",),
    ),
)
