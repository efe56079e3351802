"""Storage and I/O."""

from __future__ import annotations

from tests.planted.planting import WRONG, Plant, both, edit, value

WRITE = "tests/rsprep/store/test_write.py"
SEEN_TOO = (*WRONG, "ReadError")
"""Where the treatment is to go on: without it, the very error that it survives comes out."""

PLANTS = (
    Plant(
        row=1,
        treatment="the shard on the disk is the shard of one task; here two tasks share a file",
        mutant=both(
            edit(
                "rsprep.store.write:_create_array",
                ("shards=(schema.slots_per_shard, *chip)", "shards=(2 * schema.slots_per_shard, *chip)"),
            ),
            value("rsprep.store.write:_flush", lambda file: None),
        ),
        tests=(f"{WRITE}::test_writers_of_different_shards_lose_nothing",),
        fails=(*WRONG, "StoreError"),  # what was lost is missed by the strict reader, too
    ),
    Plant(
        row=2,
        part="a",
        treatment="blank chips are written; here zarr leaves them out",
        mutant=both(
            edit("rsprep.store.write:write_shard", ('{"write_empty_chunks": True}', '{"write_empty_chunks": False}')),
            value("rsprep.store.write:_flush", lambda file: None),
        ),
        tests=(f"{WRITE}::test_a_blank_shard_is_written_not_left_out",),
    ),
    Plant(
        row=2,
        part="b",
        treatment="a shard file that is missing raises; here it reads as fill value",
        mutant=edit(
            "rsprep.store.strict:_present",
            ('raise _damage("missing-shard", "a shard file is missing", root + key)', "return None"),
        ),
        tests=(
            f"{WRITE}::test_a_missing_shard_raises",
            "tests/rsprep/store/test_read.py::test_reading_a_damaged_data_set_raises",
        ),
    ),
    Plant(
        row=2,
        part="c",
        treatment="a chip that its shard lacks raises; here it reads as fill value",
        mutant=edit("rsprep.store.strict:_check_index", ("size = slots * 16", "return")),
        tests=(f"{WRITE}::test_a_chip_missing_in_a_shard_raises",),
    ),
    Plant(
        row=2,
        part="d",
        treatment="a manifest with a digest a chip; here verify compares none",
        mutant=edit("rsprep.job.verify:_check_shard", ("if chip_digest(one) != chip.digest:", "if False:")),
        tests=("tests/rsprep/job/test_verify.py::test_pixels_that_were_changed_by_a_writer_are_found",),
    ),
    Plant(
        row=3,
        part="a",
        treatment="metadata are consolidated once, last; here before the coordinates are written",
        mutant=edit(
            "rsprep.store.seal:seal_store",
            ("    _consolidate(place(path))\n", ""),
            ("    unseal_store(path)\n", "    unseal_store(path)\n    _consolidate(place(path))\n"),
        ),
        tests=("tests/rsprep/store/test_read.py::test_what_is_sealed_again_is_read_as_it_is_now",),
        fails=(*WRONG, "StoreError"),  # readers find that something came after, and refuse
    ),
    Plant(
        row=3,
        part="b",
        treatment="verify holds the consolidated metadata against the arrays; here it does not",
        mutant=edit(
            "rsprep.job.verify:_check_seal",
            ("if arrays != {name: array.metadata.to_dict() for name, array in gathered.arrays()}:", "if False:"),
        ),
        tests=("tests/rsprep/job/test_verify.py::test_stale_metadata_is_found",),
    ),
    Plant(
        row=3,
        part="c",
        treatment="a data set that is written to is closed to readers; here the seal is not broken",
        mutant=value("rsprep.store.seal:unseal_store", lambda path: None),
        tests=("tests/rsprep/job/test_resume.py::test_a_retry_breaks_the_seal_before_it_writes",),
    ),
    Plant(
        row=4,
        part="a",
        treatment="a granule that cannot be read is remembered; here it is passed over",
        mutant=edit("rsprep.job.reader:Reader.failed", ("self.failures.append(", "list().append(")),
        tests=(
            "tests/rsprep/job/test_passes.py::test_one_broken_source_of_four_is_counted",
            "tests/rsprep/job/test_resume.py::"
            "test_a_corrupt_file_costs_its_own_chips_and_they_come_back_once_it_is_mended",
        ),
        fails=(*WRONG, "ValueError"),  # of unpacking the one failure that is expected
    ),
    Plant(
        row=4,
        part="b",
        treatment="a tile of elevation that cannot be read is an error, or told; here it is passed over",
        mutant=edit("rsprep.reading.dem:load_dem", ("raise result", "continue")),
        tests=("tests/rsprep/reading/test_dem.py::test_a_broken_tile_raises_or_is_collected",),
    ),
    Plant(
        row=5,
        part="a",
        treatment="tokens are got anew before they end; here the first one is kept",
        mutant=edit(
            "rsprep.sources.signing:TokenSigner._token",
            ("if token is None or token.expires - self._clock() <= MARGIN:", "if token is None:"),
        ),
        tests=("tests/rsprep/sources/test_signing.py::test_a_token_is_kept_until_five_minutes_before_its_end",),
    ),
    Plant(
        row=5,
        part="b",
        treatment="what is refused is signed again; here 403 is the end",
        mutant=edit(
            "rsprep.reading.ranges:Remote.renewed",
            ("if self.signed == refused and self.signer is not None:", "if False:"),
        ),
        tests=("tests/rsprep/reading/test_remote.py::test_a_refused_signature_is_renewed_and_none_is_shown",),
        fails=SEEN_TOO,
    ),
    Plant(
        row=6,
        part="a",
        treatment="a busy server is asked again; here 503 is the end",
        mutant=edit(
            "rsprep.reading.ranges:RangeClient._try", ("if leaving() or (enough and not patient):", "if True:")
        ),
        tests=(
            "tests/rsprep/reading/test_remote.py::test_a_passing_fault_is_survived_on_the_same_url",
            "tests/rsprep/reading/test_ranges.py::test_an_outage_of_minutes_is_outlasted",
        ),
        fails=SEEN_TOO,
    ),
    Plant(
        row=6,
        part="b",
        treatment="what was retried in vain is quarantined with the reason; here the chips are kept",
        mutant=edit(
            "rsprep.job.shard:_cut",
            ('state = "quarantined" if broken else "rejected" if reason else "committed"', 'state = "committed"'),
        ),
        tests=("tests/rsprep/test_build_faults.py::test_a_file_that_never_comes_costs_the_chips_it_may_touch",),
    ),
    Plant(
        row=7,
        part="a",
        treatment="what cannot be decoded raises; here it is zeros",
        mutant=edit(
            "rsprep.reading.files:_read",
            (
                "    values = file.read(asset.band, window=PixelWindow.from_slices(part.rows, part.columns))\n",
                "    try:\n"
                "        values = file.read(asset.band, window=PixelWindow.from_slices(part.rows, part.columns))\n"
                "    except RasterioError:\n"
                "        values = np.zeros(part.shape, spec.dtype)\n",
            ),
        ),
        tests=(
            "tests/rsprep/reading/test_files.py::test_a_truncated_file_raises[0.6]",
            "tests/rsprep/reading/test_files.py::test_a_flipped_byte_raises",
        ),
    ),
    Plant(
        row=7,
        part="b",
        treatment="bytes are held against the item's checksum; here they are not",
        mutant=edit("rsprep.reading.checks:check_bytes", ("if actual != expected:", "if False:")),
        tests=("tests/rsprep/reading/test_files.py::test_a_flipped_byte_raises",),
    ),
    Plant(
        row=7,
        part="c",
        treatment="a block that a sparse file leaves out is no zero; here it is",
        mutant=edit("rsprep.reading.files:_read", ("and spec.nodata != 0:", "and False:")),
        tests=("tests/rsprep/reading/test_files.py::test_a_hole_in_a_sparse_file_is_no_zero",),
    ),
    Plant(
        row=7,
        part="d",
        treatment="every byte of a shard is under a checksum; here blosc decodes what it can",
        mutant=edit(
            "rsprep.store.write:_create_array", (', shuffle="bitshuffle"), Crc32cCodec())', ', shuffle="bitshuffle"),)')
        ),
        tests=(f"{WRITE}::test_a_flipped_byte_raises_when_read",),
    ),
    Plant(
        row=8,
        part="a",
        treatment="nodata is what the definition says; here only what the file declares",
        mutant=edit(
            "rsprep.reading.bands:load_granule",
            ("resampling=window.resampling, nodata=spec.nodata,", "resampling=window.resampling, nodata=None,"),
        ),
        tests=("tests/rsprep/reading/test_files.py::test_nodata_counts_where_the_file_does_not_declare_it",),
    ),
    Plant(
        row=8,
        part="b",
        treatment="a definition has to say what nodata is; here it may leave it out",
        mutant=edit(
            "rsprep.sources.definition:load_definition",
            (
                "    definition = _validate(_read_mapping(path), path)\n",
                "    content = _read_mapping(path)\n"
                '    products = content.get("products", {})\n'
                "    for rules in products.values():\n"
                '        rules.setdefault("nodata", 0)\n'
                "    definition = _validate(content, path)\n",
            ),
        ),
        tests=(
            "tests/rsprep/sources/test_definition.py::test_every_mistake_has_its_name[change-nodata-undeclared0]",
            "tests/rsprep/sources/test_definition.py::test_every_mistake_has_its_name[change-nodata-undeclared2]",
        ),
    ),
)
