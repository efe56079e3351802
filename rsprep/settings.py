"""Settings of any command: YAML in, checked once, every value resolved out.

Unknown keys are refused with a suggestion; what is wrong is told in our words.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rsprep.errors import ConfigError
from rsprep.strict_yaml import load_yaml

MAX_CONFIG_BYTES = 1_000_000


class Section(BaseModel):
    """A group of settings; frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    LISTED_BY: ClassVar[str] = "rsprep config"
    """The command that lists the keys."""

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, values: Any) -> Any:
        """What is given of a section goes over the default of that place, which may differ from the section's own."""
        if not isinstance(values, Mapping):
            return values
        merged = dict(values)
        for name, field in cls.model_fields.items():
            kinds = {field.annotation, *get_args(field.annotation)}
            if isinstance(merged.get(name), bool) and kinds & {int, float} and bool not in kinds:
                raise ConfigError(  # pydantic would take yes for 1
                    f"bad-{name.replace('_', '-')}",
                    f"{name}: should be a number, not yes or no",
                    value=merged[name],
                    remedy=f"`{cls.LISTED_BY}` lists every key with what it takes",
                )
            if isinstance(field.default, Section) and isinstance(merged.get(name), Mapping):
                merged[name] = laid_over(field.default.model_dump(exclude_unset=True), merged[name])
        return merged


Settings = TypeVar("Settings", bound=Section)


def laid_over(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` laid over `base`, sections key by key."""
    merged = dict(base)
    for key, value in given.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged


def read_config(path: str | Path) -> dict[str, Any]:
    """Read a YAML configuration as a plain mapping; checked later by :func:`make_config`."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError("not-found", "there is no such configuration file", value=str(path), remedy="check --config")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ConfigError(
            "too-large", "a configuration is never this large", value=str(path), remedy="is this the right file?"
        )
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            "not-yaml", f"the file is not YAML: {error}", value=str(path), remedy="see pipelines/ for examples"
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            "not-a-mapping",
            "the file does not hold key: value pairs",
            value=str(path),
            remedy="see pipelines/ for examples",
        )
    return content


def make_settings(model: type[Settings], values: Settings | Mapping[str, Any]) -> Settings:
    """`values` as settings of any command, checked and with defaults; raises ConfigError for what is wrong first.

    Settings that were checked before are given back as they are.
    """
    if isinstance(values, model):
        return values
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise _explain(error, model) from None


def _explain(error: ValidationError, model: type[Section]) -> ConfigError:
    """First complaint of pydantic as a named error: cause, value and remedy in our words."""
    # A misspelt key is told before the one that it leaves missing.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    location = first["loc"]
    where = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        return ConfigError("unknown-key", "this key is not known", value=where, remedy=_did_you_mean(location, model))
    if first["type"] == "missing" and len(location) == 1:
        option = where.replace("_", "-")
        remedy = f"give {where.upper()} or --{option}, as the command's --help has it, or {where}: in --config"
        return ConfigError("missing", f"{where} is required", remedy=remedy)
    if first["type"] == "model_type":
        message = "this is a section with keys of its own"
    else:
        message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    keys = [part for part in location if part in _homes(model)]
    return ConfigError(
        f"bad-{keys[-1] if keys else 'settings'}".replace("_", "-"),
        f"{where}: {message}" if where else message,
        value=first["input"] if where else "",
        remedy=f"`{model.LISTED_BY}` lists every key with what it takes",
    )


def _did_you_mean(location: tuple[int | str, ...], model: type[Section]) -> str:
    """The known key that an unknown one resembles, sought in its own section first, with the section it belongs to."""
    wrong, section = str(location[-1]), ".".join(str(part) for part in location[:-1])
    homes = _homes(model)
    here = [key for key, sections in homes.items() if section in sections]
    for keys in (here, list(homes)):
        close = difflib.get_close_matches(wrong.lower().replace("-", "_"), keys, n=1)
        if close:
            home = section if section in homes[close[0]] else homes[close[0]][0]
            return f"did you mean {'.'.join(part for part in (home, close[0]) if part)!r}?"
    return f"`{model.LISTED_BY}` lists every key"


def _homes(model: type[Section]) -> dict[str, list[str]]:
    """Every key with the sections that it occurs in; the top level is the section without a name."""
    homes: dict[str, list[str]] = {key: [""] for key in model.model_fields}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            for key in field.annotation.model_fields:
                homes.setdefault(key, []).append(name)
    return homes


def dump_config(config: Section) -> str:
    """The resolved configuration as YAML (``config.lock.yaml``)."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
