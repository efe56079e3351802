from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from rsprep.errors import CatalogError
from rsprep.resources import shipped
from rsprep.sources.definition import (
    PLANETARY_COMPUTER,
    LandCoverProduct,
    Score,
    Sentinel1Product,
    Sentinel2Product,
    SourceDefinition,
    TokenService,
    list_definitions,
    load_definition,
)

SHIPPED = ["earth-search", "planetary-computer", "planted", "terramesh"]


def _write(folder: Path, change: Any) -> Path:
    content = yaml.safe_load((shipped("catalogs/sources") / "planted.yaml").read_text())
    change(content)
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_shipped_definitions_load_and_their_names_are_their_files() -> None:
    assert set(SHIPPED) <= set(list_definitions())
    for name in list_definitions():
        assert load_definition(name).name == name


def test_a_definition_loads_from_a_path_as_from_its_name() -> None:
    assert load_definition(shipped("catalogs/sources/planted.yaml")) == load_definition("planted")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_band_declares_its_kernel_and_classes_are_never_interpolated(name: str) -> None:
    """Pitfall 12: SCL and labels are nearest in every definition."""
    definition = load_definition(name)
    for product in definition.products.names():
        for band_name, band in definition.product(product).bands().items():
            assert (band.resampling == "nearest") == (band_name in ("SCL", "label"))


def test_probabilities_are_bands_in_class_order() -> None:
    bands = load_definition("planted").product("landcover").bands()
    assert [bands[f"p{index}"].number for index in range(9)] == list(range(1, 10))
    assert {bands[f"p{index}"].asset for index in range(9)} == {"probabilities"}
    assert math.isnan(bands["p0"].nodata or 0)


def test_probabilities_may_be_assets_of_their_own() -> None:
    product = LandCoverProduct(
        collection="dw", label="label", dtype="uint8", nodata=255, crosswalk="dynamic-world",
        probabilities={index: f"prob{index}" for index in range(9)}, probabilities_nodata=-1,
    )  # fmt: skip
    assert product.bands()["p3"].asset == "prob3"
    assert product.bands()["p3"].number == 1


def test_radar_products_are_typed_apart() -> None:
    """Pitfall 18: Earth Search's GRD cannot be taken for the RTC of Planetary Computer."""
    grd = load_definition("earth-search").products.sentinel1
    rtc = load_definition("planetary-computer").products.sentinel1
    assert grd is not None
    assert rtc is not None
    assert (grd.kind, grd.calibration, grd.units) == ("grd", "uncalibrated", "amplitude")
    assert (rtc.kind, rtc.calibration, rtc.units, rtc.nodata) == ("rtc", "gamma0", "power", -32768)


def test_radar_on_a_map_grid_needs_a_calibration() -> None:
    words: dict[str, Any] = {"collection": "s1", "assets": {"VV": "VV"}, "dtype": "float64", "nodata": -9999}
    gtc = Sentinel1Product(kind="gtc", units="db", calibration="sigma0", **words)
    assert gtc.kind == "gtc"
    for kind in ("rtc", "gtc"):
        with pytest.raises(ValueError, match="kind: grd only"):
            Sentinel1Product(kind=kind, units="amplitude", calibration="sigma0", **words)


def test_signing_is_a_name_or_a_service(tmp_path: Path) -> None:
    assert load_definition("planted").signing is None
    assert load_definition("planetary-computer").signing == PLANETARY_COMPUTER
    service = {"service": "http://127.0.0.1:8000/token", "hosts": ["127.0.0.1", "*.store.org"]}
    definition = load_definition(_write(tmp_path, _set("signing", to=service)))
    assert definition.signing == TokenService(service=service["service"], hosts=tuple(service["hosts"]))
    assert SourceDefinition.model_validate(definition.model_dump()) == definition


def test_a_cloud_score_is_a_band_of_its_own() -> None:
    score = {"collection": "CS_PLUS", "band": "cs_cdf"}
    words: dict[str, Any] = {"collection": "s2", "assets": {"B04": "B4"}, "dtype": "uint16", "nodata": 0}
    product = Sentinel2Product(scl="SCL", score=Score.model_validate(score), **words)
    assert list(product.bands()) == ["B04", "SCL", "score"]
    band = product.bands()["score"]
    assert (band.asset, band.dtype, band.nodata, band.resampling) == ("cs_cdf", "float32", -1.0, "bilinear")


def test_offset_rule_is_a_flag_or_a_property() -> None:
    def rule(name: str) -> bool | str | None:
        product = load_definition(name).product("sentinel2")
        assert isinstance(product, Sentinel2Product)
        return product.offset_applied

    assert rule("planted") == "earthsearch:boa_offset_applied"
    assert rule("earth-search") is False
    assert rule("planetary-computer") is False


def test_unknown_source_suggests_a_close_name() -> None:
    with pytest.raises(CatalogError, match="planetary-computer") as caught:
        load_definition("planetary-computr")
    assert caught.value.slug == "unknown-source"


def _set(*keys: str, to: Any) -> Any:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = to

    return change


def _drop(*keys: str | int) -> Any:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        (_set("endpont", to="x"), "definition-unknown-key"),
        (_set("products", "dem", "absnt", to={}), "definition-unknown-key"),
        (_drop("licence"), "definition-missing-key"),
        (_drop("products", "sentinel2", "nodata"), "nodata-undeclared"),
        (_drop("products", "landcover", "nodata"), "nodata-undeclared"),
        (_drop("products", "dem", "nodata"), "nodata-undeclared"),
        (_set("products", "sentinel1", "nodata", to=None), "bad-nodata"),
        (_set("products", "sentinel2", "nodata", to=-1), "bad-nodata"),
        (_set("products", "landcover", "nodata", to=math.nan), "bad-nodata"),
        (_set("products", "sentinel2", "nodata", to=math.inf), "bad-nodata"),
        (_set("products", "sentinel2", "dtype", to="uint12"), "bad-dtype"),
        (_set("products", "sentinel2", "assets", "B10", to="B10"), "bad-sentinel2"),
        (_set("products", "sentinel1", "units", to="decibel"), "bad-units"),
        (_set("products", "sentinel1", "units", to="amplitude"), "bad-sentinel1"),
        (_set("products", "sentinel1", "calibration", to="beta0"), "bad-calibration"),
        (_set("products", "landcover", "crosswalk", to="corine"), "bad-crosswalk"),
        (_set("products", "landcover", "probabilities_nodata", to=None), "bad-landcover"),
        (_set("products", "landcover", "probabilities_asset", to=None), "bad-landcover"),
        (_drop("products", "landcover", "probabilities", 3), "bad-landcover"),
        (_set("products", "dem", "absent", "rule", to="sea"), "bad-rule"),
        (_set("products", to={}), "bad-products"),
        (_set("signing", to="none at all"), "bad-signing"),
        (_set("signing", to={"service": "https://a.org/token", "host": "b.org"}), "definition-unknown-key"),
        (_set("signing", to={"service": "https://a.org/token"}), "definition-missing-key"),
        (_set("signing", to={"service": "https://a.org/token", "hosts": ["*"]}), "bad-hosts"),
        (_set("signing", to={"service": "a.org", "hosts": ["b.org"]}), "bad-service"),
        (_set("account", to=""), "bad-account"),
        (_set("products", "sentinel2", "where", to={"platform": [1]}), "bad-where"),
        (_set("products", "sentinel2", "properties", to={"platform": ""}), "bad-properties"),
        (_set("products", "sentinel2", "footprint", to="about"), "bad-footprint"),
        (_set("products", "sentinel2", "score", to={"collection": "cs", "band": "cs"}), "bad-definition"),
        (_set("products", "landcover", "epoch", to="latest"), "bad-epoch"),
        (_set("products", "sentinel1", "kind", to="slc"), "bad-kind"),
        (_set("name", to="No Spaces"), "bad-name"),
    ],
)
def test_every_mistake_has_its_name(tmp_path: Path, change: Any, slug: str) -> None:
    """Pitfall 8: among them, nodata must be declared and must be a number that the raster can hold."""
    with pytest.raises(CatalogError) as caught:
        load_definition(_write(tmp_path, change))
    assert caught.value.slug == slug
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_unknown_key_suggests_the_known_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="did you mean 'endpoint'"):
        load_definition(_write(tmp_path, _set("endpont", to="x")))


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("a: [", "definition-not-yaml"),
        ("name: a\ntitle: b\nname: c\n", "definition-not-yaml"),
        ("- a\n- b\n", "definition-not-a-mapping"),
        ("", "definition-not-a-mapping"),
    ],
)
def test_files_that_are_no_definition(tmp_path: Path, text: str, slug: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_definition(path)
    assert caught.value.slug == slug


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        load_definition(tmp_path / "none.yaml")
    assert caught.value.slug == "definition-not-found"


def test_a_product_that_the_source_lacks() -> None:
    with pytest.raises(CatalogError, match="sentinel2, sentinel1, dem") as caught:
        load_definition("earth-search").product("landcover")
    assert caught.value.slug == "no-such-product"


def test_words_for_people_are_no_part_of_what_a_build_is() -> None:
    """A build of last week is resumed after a licence was worded better, and not after nodata is another."""
    definition = load_definition("planted")
    words = definition.model_dump()
    words |= {"title": "x", "cost": "x", "login_help": "x", "licence": "x", "account": "x"}
    words["products"]["dem"] |= {"attribution": "x", "licence": "x", "resolution": "x"}
    assert SourceDefinition.model_validate(words).fingerprint() == definition.fingerprint()
    for key, value in (("nodata", 7.0), ("footprint", "bounds"), ("collection", "x"), ("where", {"a": 1})):
        changed = definition.model_dump()
        changed["products"]["sentinel2"][key] = value
        assert SourceDefinition.model_validate(changed).fingerprint() != definition.fingerprint()
    assert definition.model_copy(update={"rewrite": {"a": "b"}}).fingerprint() != definition.fingerprint()
