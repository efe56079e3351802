"""A sealed chip store as training material: which chips there are, and what its variables are to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.chips import ChipIndex, chip_index, coordinate, identity_of, read_index, shared, some
from rsmodels.data.fields import IGNORE, Field, Kind
from rsmodels.data.places import PLACE, USUAL_COLUMNS, place_names, place_variable
from rsmodels.data.scenes import SCENE, USUAL_COLUMN, scene_classes, scene_indices, scene_variable
from rsmodels.errors import ModelError
from rsprep.cloud.address import Place, absolute
from rsprep.errors import StoreError
from rsprep.store.read import store_path
from rsprep.store.schema import TERRAIN_BANDS, Schema, Variable
from rsprep.store.seal import is_sealed
from rsprep.store.strict import open_strict
from rsprep.store.write import read_schema

SPLITS: Final = ("train", "val", "test")
USUAL_VARIABLES: Final = {
    "image": ("s2", "image", "clean"),
    "landcover": ("lulc", "classes", "mask"),
    "label": ("lulc", "classes", "mask"),
    "radar": ("s1",),
    "terrain": ("terrain",),
    "satellite": ("satellite",),
}
"""Where a field is looked for when no variable is named."""
CLEAR: Final = {"s2": "s2_valid"}
"""Optical variable to the mask of its clear observations."""
_LIGHT: Final = (315.0, 45.0)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """How one data set holds a field."""

    variable: Variable
    positions: tuple[int, ...] | None
    """Positions of the field's bands along the variable's band axis; None without such an axis."""
    clear: str | None
    """Variable that is 1 where the field was observed clearly; None without one."""
    light: tuple[float, float]
    """Azimuth and altitude of the hillshade's light, degrees."""

    @property
    def all_bands(self) -> bool:
        """True where the bands are taken just as they lie in the store."""
        return self.positions is None or self.positions == tuple(range(len(self.variable.bands or ())))


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipSource:
    """A sealed data set, opened for training."""

    path: Place
    """The chip store itself."""
    schema: Schema
    identity: str
    """Hash over name, fingerprint and split of every chip."""
    chips: ChipIndex

    @property
    def name(self) -> str:
        """Name of the data set's folder."""
        return absolute(self.path).parent.name

    @property
    def folder(self) -> Place:
        """Where the data set lies."""
        return self.path.parent

    @classmethod
    def open(cls, path: str | Place, *, splits: Sequence[str] | None = None, share: float = 1.0) -> ChipSource:
        """Open the data set at `path`, a folder or an address in a bucket, or its ``chips.zarr``.

        Parameters
        ----------
        splits : keep the chips of these splits only; all by default.
        share : keep this share of the train chips only, above 0; the others are not seen by anyone.

        Raises
        ------
        StoreError : ``not-found``, ``not-a-store``, ``schema-version``, ``unsealed``; ``no-index`` without
            ``items.parquet``, ``other-index`` if that is not of this store.
        ModelError : ``no-such-split``.
        """
        for split in splits or ():
            _check_split(split)
        store = store_path(path)
        schema, _ = read_schema(store)
        if not is_sealed(store):
            raise StoreError(
                "unsealed",
                "the data set is not finished",
                value=str(store),
                remedy="run the command that makes it again: it goes on where it stopped",
            )
        chips = chip_index(open_strict(store), schema, read_index(store.parent), str(store))
        identity = identity_of(chips)
        if splits is not None:
            chips = some(chips, np.isin(chips.split, list(splits)))
        if share < 1:
            chips = shared(chips, share)
        return cls(path=store, schema=schema, identity=identity, chips=chips)

    def of_split(self, split: str) -> NDArray[np.int64]:
        """Slots of the chips of `split`, ascending; ModelError ``no-such-split`` for another word."""
        _check_split(split)
        slots: NDArray[np.int64] = self.chips.slot[self.chips.split == split]
        return slots

    def column(self, name: str) -> NDArray[Any]:
        """One value a chip of any coordinate of the store, in the order of :attr:`chips`.

        Raises
        ------
        ModelError : ``no-such-column``.
        """
        group = open_strict(self.path)
        names = str(group.attrs["coordinates"]).split()
        if name not in names:
            raise ModelError(
                "no-such-column",
                "the data set records no such value of its chips",
                value=name,
                remedy=f"take one of {', '.join(names)}",
            )
        return coordinate(group, name)[self.chips.slot]

    def layer(self, field: Field) -> Layer:
        """Where this data set holds `field`.

        Raises
        ------
        ModelError : ``no-such-field``, ``no-such-band``, ``no-such-column``; ``unlike-data-sets`` where its classes are
            others; of scenes, where no chip is of any of them.
        """
        if field.kind == "scene":
            if (scene_indices(self.column(field.variable), field.classes) == IGNORE).all():
                raise _unlike("scenes", field.name, f"{self.name} has none of {', '.join(field.classes)}")
            return Layer(variable=scene_variable(field.variable), positions=None, clear=None, light=_LIGHT)
        if field.kind == "place":
            self.column(field.variable)
            return Layer(variable=place_variable(field.variable), positions=None, clear=None, light=_LIGHT)
        variable = _variable(self, field.variable, field.name)
        positions = None if field.bands is None else _positions(self, variable, field.bands)
        if field.classes and _classes(variable) != (field.classes, field.codes):
            raise _unlike("classes", field.name, f"{self.name}: {', '.join(_classes(variable)[0])}")
        mask = CLEAR.get(variable.name)
        azimuth, altitude = (variable.attrs.get(name, usual) for name, usual in zip(LIGHT_ATTRS, _LIGHT, strict=True))
        return Layer(
            variable=variable,
            positions=positions,
            clear=mask if field.kind == "optical" and mask in self.schema.names else None,
            light=(float(azimuth), float(altitude)),
        )


LIGHT_ATTRS: Final = ("azimuth", "altitude")
"""Attributes that tell of another light than that of ``rsprep.products.terrain``."""


def field(source: ChipSource, name: str, variable: str | None = None, bands: Sequence[str] | None = None) -> Field:
    """The field `name` as `source` has it.

    Parameters
    ----------
    name : what it is to the model; ``image``, ``landcover``, ``label``, ``radar``, ``terrain`` and ``satellite`` are
        looked for by themselves, any other name needs a `variable`. ``scene`` is a column: ``label``, unless told
        otherwise; so is ``place``: ``source`` where there is one, else ``chip_id``, of the train chips.
    variable : name in the store.
    bands : bands in this order; all by default.

    Raises
    ------
    ModelError : ``no-such-field``, ``no-such-band``; ``terrain-bands`` for less than the four of terrain, which can
        only be turned together; ``no-such-column`` and ``no-scenes`` of a scene.
    """
    if name == SCENE:
        column = variable or USUAL_COLUMN
        names = scene_classes(source.column(column), column, source.name)
        return Field(name=name, variable=column, kind="scene", classes=names, codes=tuple(range(len(names))))
    if name == PLACE:
        return _place(source, variable)
    if variable is None:
        usual = [one for one in USUAL_VARIABLES.get(name, ()) if one in source.schema.names]
        if not usual:
            raise _no_field(source, name, " or ".join(USUAL_VARIABLES.get(name, ())) or "a variable that you name")
        variable = usual[0]
    found = _variable(source, variable, name)
    kind = _kind(found, name)
    taken = found.bands if bands is None else tuple(bands)
    if taken is not None:
        _positions(source, found, taken)
    if kind == "terrain" and taken != TERRAIN_BANDS:
        raise ModelError(
            "terrain-bands",
            f"terrain is taken as a whole: {', '.join(TERRAIN_BANDS)}",
            value=", ".join(taken or ()),
            remedy="leave the choice of bands out for terrain",
        )
    classes, codes = _classes(found) if kind == "classes" else ((), ())
    return Field(name=name, variable=variable, kind=kind, bands=taken, classes=classes, codes=codes)


def _place(source: ChipSource, column: str | None) -> Field:
    """The places of the train chips; those of others are not told apart by whoever learns these."""
    if column is None:
        usual, last = USUAL_COLUMNS
        column = usual if usual in (one.name for one in source.schema.columns) else last
    names = place_names(source.column(column)[source.chips.split == "train"])
    if len(names) < 2:
        raise ModelError(
            "no-places",
            "the train chips show fewer than two places, so there is nothing to tell apart",
            value=f"{source.name}, column {column}: {len(names)}",
            remedy="give a data set with a view of many places, as `rsprep simulate-views` plants them",
        )
    return Field(name=PLACE, variable=column, kind="place", classes=names, codes=tuple(range(len(names))))


def check_alike(sources: Sequence[ChipSource], fields: Sequence[Field]) -> None:
    """See that chips of all `sources` fit into one batch.

    Raises
    ------
    ModelError : ``unlike-data-sets`` where pixels per chip, types, no-data, scale or classes differ, or a later one has
        scenes of a class that the field lacks, and as :meth:`ChipSource.layer`.
    """
    first = sources[0]
    for source in sources:
        if source.schema.chip_px != first.schema.chip_px:
            sizes = f"{first.name}: {first.schema.chip_px}, {source.name}: {source.schema.chip_px}"
            raise _unlike("pixels along a chip's side", "all", sizes)
        for one in fields:
            mine, theirs = _meaning(first.layer(one)), _meaning(source.layer(one))
            if one.kind == "scene" and source is not first:
                strange = set(source.column(one.variable).tolist()) - {"", *one.classes}
                if strange:
                    raise _unlike("scenes", one.name, f"{source.name}: {', '.join(sorted(map(str, strange)))}")
            if mine != theirs:
                raise _unlike(
                    "type, no-data, scale or light", one.name, f"{first.name}: {mine}, {source.name}: {theirs}"
                )


def _meaning(layer: Layer) -> tuple[object, ...]:
    variable = layer.variable
    nodata = repr(variable.fill) if variable.has_nodata else "none"
    return (variable.dtype, nodata, variable.attrs.get("scale", 1), layer.light)


def _unlike(what: str, name: str, value: str) -> ModelError:
    return ModelError(
        "unlike-data-sets",
        f"the data sets differ in {what} (field {name})",
        value=value,
        remedy="train on data sets that were made alike, or name bands that all of them have",
    )


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise ModelError("no-such-split", "there is no such split", value=split, remedy=f"one of {', '.join(SPLITS)}")


def _no_field(source: ChipSource, name: str, wanted: str) -> ModelError:
    return ModelError(
        "no-such-field",
        f"{source.name} has nothing for the field {name} (wanted: {wanted})",
        value=", ".join(source.schema.names),
        remedy="name one of these variables, or train on a data set with this layer",
    )


def _variable(source: ChipSource, variable: str, name: str) -> Variable:
    if variable not in source.schema.names:
        raise _no_field(source, name, variable)
    return source.schema[variable]


def _positions(source: ChipSource, variable: Variable, bands: Sequence[str]) -> tuple[int, ...]:
    there = variable.bands or ()
    missing = [band for band in bands if band not in there]
    if missing or not bands or len(set(bands)) != len(bands):
        raise ModelError(
            "no-such-band",
            f"{variable.name} of {source.name} has the bands {', '.join(there) or '(none)'}",
            value=", ".join(missing or bands),
            remedy=f"--bands {','.join(there)}, or some of these, each once" if there else "leave the bands out",
        )
    return tuple(there.index(band) for band in bands)


def _kind(variable: Variable, name: str) -> Kind:
    """What the numbers of `variable` are, by its name and attributes."""
    if "flag_values" in variable.attrs:
        is_mask = list(variable.attrs["flag_values"]) == [0, 1] and name not in USUAL_VARIABLES
        return "mask" if is_mask else "classes"
    if variable.name == "terrain" or variable.bands == TERRAIN_BANDS:
        return "terrain"
    return "radar" if variable.attrs.get("units") == "dB" else "optical"


def _classes(variable: Variable) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and codes of the classes."""
    names = tuple(str(variable.attrs.get("flag_meanings", "")).split())
    return names, tuple(int(code) for code in variable.attrs.get("flag_values", ()))
