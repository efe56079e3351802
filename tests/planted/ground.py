"""Elevation and terrain, geometry and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.planted.planting import Plant, both, edit, value

DEM = "tests/rsprep/reading/test_dem.py"
TERRAIN = "tests/rsprep/products/test_terrain.py"
WARP = "tests/rsprep/reading/test_warp.py"
AOI = "tests/rsprep/ground/test_aoi.py"
AOI_ERRORS = "tests/rsprep/ground/test_aoi_errors.py"
ROW_KERNEL, TERRAIN_KERNEL = "rsprep.products.terrain:_row", "rsprep.products.terrain:_terrain"


def warped_tile_by_tile(patch: pytest.MonkeyPatch) -> None:
    """Each tile is warped by itself, and then they are laid side by side."""
    from rsprep.reading import dem
    from rsprep.reading.layer import Layer

    whole = dem._heights

    def one_by_one(windows: Sequence[Any], *rest: Any) -> Layer:
        if len(windows) < 2:
            return whole(windows, *rest)
        layers = [whole([window], *rest) for window in windows]
        for layer in layers[1:]:
            free = layer.valid & ~layers[0].valid
            layers[0].values[:, free] = layer.values[:, free]
            layers[0].valid[free] = True
        return layers[0]

    patch.setattr(dem, "_heights", one_by_one)


PLANTS = (
    Plant(
        row=25,
        part="a",
        treatment="0 m only where there is sea; here wherever there is no tile",
        mutant=edit(
            "rsprep.reading.dem:_heights",
            ("    for box in zero_boxes:\n", "    heights[np.isnan(heights)] = 0.0\n    for box in zero_boxes:\n"),
        ),
        tests=(f"{DEM}::test_a_missing_tile_is_a_gap_and_an_ocean_tile_is_zero",),
    ),
    Plant(
        row=25,
        part="b",
        treatment="only the list of tiles tells sea; here land without a tile is sea, too",
        mutant=edit("rsprep.sources.tiles:TileList.sea", (" if corner not in self.corners", "")),
        tests=("tests/rsprep/sources/test_tiles.py::test_only_cells_without_a_tile_are_sea",),
    ),
    Plant(
        row=25,
        part="c",
        treatment="land whose tiles are withheld is no sea; here it is",
        mutant=edit("rsprep.sources.tiles:TileList.parse", ("for name in withheld]", "for name in ()]")),
        tests=("tests/rsprep/sources/test_tiles.py::test_land_whose_tiles_were_withheld_is_no_sea",),
    ),
    Plant(
        row=26,
        treatment="pixels need not be square; here tiles are read as if they were",
        mutant=edit(
            "rsprep.reading.dem:_near",
            (
                "    if not crs_of(grid).geographic:\n",
                "    a = grid.affine\n"
                "    grid = GeoBox(grid.shape, Affine(-a.e, 0, a.c, 0, a.e, a.f), grid.crs)\n"
                "    if not crs_of(grid).geographic:\n",
            ),
        ),
        tests=(f"{DEM}::test_tiles_at_61_degrees_keep_their_shape",),
    ),
    Plant(
        row=27,
        treatment="tiles are joined before they are warped; here after",
        mutant=warped_tile_by_tile,
        tests=(f"{DEM}::test_tiles_have_no_seam_and_need_not_have_square_pixels",),
    ),
    Plant(
        row=28,
        treatment="the half pixel of points is shifted by GDAL alone; here again",
        mutant=edit(
            "rsprep.reading.dem:_near",
            (
                "    if not crs_of(grid).geographic:\n",
                "    grid = GeoBox(grid.shape, grid.affine * Affine.translation(-0.5, -0.5), grid.crs)\n"
                "    if not crs_of(grid).geographic:\n",
            ),
        ),
        tests=(f"{DEM}::test_a_peak_lands_on_its_pixel",),
    ),
    Plant(
        row=29,
        part="a",
        treatment="slope is derived on a grid of metres; here distances are taken for degrees",
        mutant=edit(
            "rsprep.job.relief:relief", ("resolution=metric_side(block)", "resolution=metric_side(block) / 111_195")
        ),
        tests=("tests/rsprep/job/test_relief.py::test_the_slope_of_a_plane_is_its_slope_at_every_latitude",),
    ),
    Plant(
        row=29,
        part="b",
        treatment="a grid in degrees is refused; here its side counts as metres",
        mutant=edit(
            "rsprep.products.terrain:metric_side",
            ('if grid.crs is None or any(unit != "metre" for unit in grid.crs.units):', "if False:"),
        ),
        tests=(f"{TERRAIN}::test_metric_grids_only",),
    ),
    Plant(
        row=30,
        treatment="pixels that are not square are refused; here they are taken",
        mutant=edit(
            "rsprep.products.terrain:square_side", ("if not (x > 0 and y > 0 and abs(x - y) <= 1e-6 * x):", "if False:")
        ),
        tests=(
            f"{TERRAIN}::test_pixels_that_are_not_square_are_refused[resolution0]",
            f"{TERRAIN}::test_metric_grids_only",
        ),
    ),
    Plant(
        row=31,
        part="a",
        treatment="aspect is averaged by its sine and cosine; here as a number",
        mutant=both(
            edit(
                "rsprep.products.terrain:aspect_components",
                (
                    "return np.stack([np.where(known, np.sin(radians), 0), np.where(known, np.cos(radians), 0)])",
                    "return np.stack([np.where(known, radians, np.nan), np.zeros_like(radians)])",
                ),
            ),
            edit(
                "rsprep.products.terrain:aspect_from_components",
                ("np.degrees(np.arctan2(east, north))", "np.degrees(east)"),
                ("np.hypot(east, north) > 1e-6", "np.isfinite(east)"),
            ),
        ),
        tests=(f"{TERRAIN}::test_aspect_is_averaged_through_north",),
    ),
    Plant(
        row=31,
        part="b",
        treatment="a network is fed sine and cosine; here the share of a circle, twice",
        mutant=edit(
            "rsmodels.data.normalise:_encode_terrain",
            ("values[2:4] = aspect_components(aspect)", "values[2:4] = np.nan_to_num(aspect) / 180 - 1"),
        ),
        tests=("tests/rsmodels/data/test_normalise.py::test_terrain",),
    ),
    Plant(
        row=32,
        part="a",
        treatment="flat ground has no aspect; here it faces north",
        mutant=edit(
            ROW_KERNEL,
            (
                "aspect[x] = bearing if known else _NAN",
                "aspect[x] = (bearing if square > _ZERO else _ZERO) if known else _NAN",
            ),
            also=(TERRAIN_KERNEL,),
        ),
        tests=(f"{TERRAIN}::test_flat_ground_has_no_aspect_but_a_slope_and_a_shade",),
    ),
    Plant(
        row=32,
        part="b",
        treatment="black is 1, and 0 is free; here black is 0",
        mutant=edit(ROW_KERNEL, ("lit = _ONE + _LEVELS *", "lit = _ZERO + (_LEVELS + _ONE) *"), also=(TERRAIN_KERNEL,)),
        tests=(f"{TERRAIN}::test_flat_ground_has_no_aspect_but_a_slope_and_a_shade",),
    ),
    Plant(
        row=32,
        part="c",
        treatment="nodata among the neighbours is nodata; here it is a height of 0",
        mutant=edit(
            ROW_KERNEL,
            (
                "sw, s, se = south[x], south[x + 1], south[x + 2]",
                "sw, s, se = south[x], south[x + 1], south[x + 2]\n        nw = nw if nw - nw == _ZERO else _ZERO",
            ),
            also=(TERRAIN_KERNEL,),
        ),
        tests=(f"{TERRAIN}::test_flat_ground_has_no_aspect_but_a_slope_and_a_shade",),
    ),
    Plant(
        row=33,
        treatment="the store says DSM over EGM2008; here nothing",
        mutant=edit(
            "rsprep.store.schema:_terrain",
            ('"surface": surface,', '"surface": "unknown",'),
            ('"vertical_datum": datum,', '"vertical_datum": "unknown",'),
        ),
        tests=("tests/rsprep/store/test_schema.py::test_heights_say_what_they_are",),
    ),
    Plant(
        row=34,
        part="a",
        treatment="coordinates are those of pixel centres; here of corners",
        mutant=edit(
            "rsprep.store.read:_placed",
            ('np.arange(int(one.attrs["chip_size"])) + 0.5', 'np.arange(int(one.attrs["chip_size"]))'),
        ),
        tests=("tests/rsprep/store/test_read.py::test_a_chip_lies_where_it_is_on_the_ground",),
    ),
    Plant(
        row=34,
        part="b",
        treatment="pixels are looked up at their centres; here half a pixel beside",
        mutant=edit(
            "rsprep.reading.control:ControlGrid.pixels_in",
            (
                "columns = to_pixel.a * x + to_pixel.b * self.y + to_pixel.c",
                "columns = to_pixel.a * x + to_pixel.b * self.y + to_pixel.c + 0.5",
            ),
        ),
        tests=(f"{WARP}::test_a_one_pixel_delta_lands_on_its_pixel",),
    ),
    Plant(
        row=35,
        treatment="lattices that differ are resampled, and the shift is told; here they are pasted",
        mutant=value("rsprep.reading.warp:PASTE_TOLERANCE_PX", 0.5),
        tests=(f"{WARP}::test_a_shift_of_less_than_half_a_pixel_is_measured_not_hidden",),
    ),
    Plant(
        row=36,
        treatment="missing pixels are kept out of kernels; here they are numbers like others",
        mutant=edit(
            "rsprep.reading.warp:warp",
            ("validity = find_invalid(band, nodata, valid)", "validity = find_invalid(np.zeros_like(band), None)"),
        ),
        tests=(f"{WARP}::test_nodata_never_bleeds", f"{WARP}::test_cubic_beside_nodata_stays_within_its_neighbours"),
    ),
    Plant(
        row=37,
        part="a",
        treatment="an area across 180° is split; here it is left as it is written",
        mutant=edit("rsprep.ground.aoi_rings:_split", ("    parts = []\n", "    return [polygon]\n    parts = []\n")),
        tests=(f"{AOI}::test_antimeridian_forms_are_split",),
    ),
    Plant(
        row=37,
        part="b",
        treatment="a ring that jumps across 180° runs on; here it spans the globe",
        mutant=edit("rsprep.ground.aoi_rings:_unwrap_ring", ("unwrapped[1:, 0] += turns", "pass")),
        tests=(f"{AOI}::test_antimeridian_forms_are_split[jump]",),
    ),
    Plant(
        row=37,
        part="c",
        treatment="a tile at −180° is found by a target at +180°; here it lies around the globe",
        mutant=edit(
            "rsprep.reading.control:ControlGrid.pixels_in",
            ("if source.crs is not None and source.crs.geographic:", "if False:"),
        ),
        tests=("tests/rsprep/reading/test_control.py::test_tiles_on_either_side_of_the_antimeridian_are_found",),
    ),
    Plant(
        row=37,
        part="d",
        treatment="a target that a global raster is cut in is refused; here half of it comes back",
        mutant=edit(
            "rsprep.reading.extent:_refuse_cut", ("if turned.max() > 0 and turned.min() < width:", "if False:")
        ),
        tests=("tests/rsprep/reading/test_control.py::test_a_global_raster_cut_by_the_target_is_refused",),
    ),
    Plant(
        row=37,
        part="e",
        treatment="a chip where a layer has no pixel is no chip; here it is kept",
        mutant=edit(
            "rsprep.job.shard:_rejection",
            ("if not (covered if owned is None else covered & owned).any():", "if False:"),
        ),
        tests=("tests/rsprep/test_build_planted.py::test_nothing_is_silently_empty",),
    ),
    Plant(
        row=38,
        part="a",
        treatment="ground that western chips cover is left to them; here chips of both zones have it",
        mutant=edit("rsprep.ground.boundary:meet_west", ("overlaps |= hit", "pass")),
        tests=("tests/rsprep/ground/test_boundary.py::test_no_two_chips_share_ground",),
    ),
    Plant(
        row=38,
        part="b",
        treatment="shared pixels are blanked where partial chips are kept; here they are not",
        mutant=edit(
            "rsprep.ground.boundary:owned_mask",
            ("= ~home[west_row - first_row, west_col - first_col]", "= np.ones(west_row.shape, np.bool_)"),
        ),
        tests=("tests/rsprep/ground/test_boundary.py::test_keep_covers_every_point_once",),
    ),
    Plant(
        row=39,
        part="a",
        treatment="rings that cross themselves are refused; here they are taken",
        mutant=edit("rsprep.ground.aoi_rings:_check_valid", ('if reason != "Valid Geometry":', "if False:")),
        tests=(f"{AOI_ERRORS}::test_bad_file[bow tie]",),
        fails=("AssertionError", "Failed", "GEOSException"),
    ),
    Plant(
        row=39,
        part="b",
        treatment="swapped axes are refused by name; here they are not looked at",
        mutant=value("rsprep.ground.aoi_rings:_check_degrees", lambda polygon, *, declared: None),
        tests=(f"{AOI_ERRORS}::test_bad_file[swapped]",),
    ),
    Plant(
        row=39,
        part="c",
        treatment="the line that describes an area tells its centre; here with the axes swapped",
        mutant=edit("rsprep.ground.aoi:Aoi.describe", ("lon, lat = self.centroid", "lat, lon = self.centroid")),
        tests=(f"{AOI}::test_area_centroid_and_their_echo",),
    ),
    Plant(
        row=40,
        part="a",
        treatment="a time without a zone is refused; here it is local time",
        mutant=edit("rsprep.moments:parse_moment", ("if value.tzinfo is None:", "if False:")),
        tests=("tests/rsprep/test_config.py::test_moments_that_are_refused",),
    ),
    Plant(
        row=40,
        part="b",
        treatment="an item's time without a zone is refused; here it is UTC, whatever it was",
        mutant=edit(
            "rsprep.sources.items:_moment",
            (
                "if moment.tzinfo is None:",
                "moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)\n    if False:",
            ),
        ),
        tests=("tests/rsprep/sources/test_items.py::test_every_bad_time_has_its_name",),
    ),
    Plant(
        row=40,
        part="c",
        treatment="bare dates are days of UTC; here of the machine",
        mutant=edit(
            "rsprep.moments:parse_moment",
            (
                "return dt.datetime.combine(value, moment, tzinfo=dt.UTC)",
                "return dt.datetime.combine(value, moment).astimezone(dt.UTC)",
            ),
        ),
        tests=("tests/rsprep/cli/test_bad_input.py::test_the_time_zone_of_the_machine_changes_nothing",),
    ),
)
