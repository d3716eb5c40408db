"""JSON schemas of the files in `config/`, for editors: what may stand where, and what it means.

Belongs here: from the shapes that the loaders check to one schema a file, and writing them. Does
not belong here: any check of a declaration; schemas help while writing, loaders decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from cdp.config.matching import MatchingModel
from cdp.config.personal_data import CLASSES, PLAIN
from cdp.config.roles import Role
from cdp.config.source_options import OPTIONS
from cdp.config.sources import Source
from cdp.segmentation.definitions import Definition, TraitDefinition
from cdp.warehouse.settings import PROJECT_ROOT, Settings

FOLDER = PROJECT_ROOT / "docs" / "reference" / "schemas"


class _AsWritten(GenerateJsonSchema):
    """Durations as people write them, not as ISO 8601 does."""

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^\s*\d+\s*(second|minute|hour|day|week)s?\s*$",
            "examples": ["30 minutes", "26 hours", "1 day"],
        }


def sources_schema() -> dict[str, Any]:
    """`sources.yml`: the options follow the kind."""
    definitions: dict[str, Any] = {}
    source = _shape(Source, definitions, leave_out={"name"})
    source["properties"]["options"] = {"type": "object"}
    source["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"options": _shape(options, definitions)}},
        }
        for kind, options in OPTIONS.items()
    ]
    return _named("sources", source, definitions)


def roles_schema() -> dict[str, Any]:
    """`roles.yml`."""
    definitions: dict[str, Any] = {}
    role = _shape(Role, definitions, leave_out={"name"})
    role["properties"]["shows"] = {
        "description": role["properties"]["shows"]["description"],
        "anyOf": [
            {"const": "all"},
            {"type": "array", "items": {"enum": list(CLASSES)}},
        ],
    }
    return _named("roles", role, definitions)


def matching_schema() -> dict[str, Any]:
    """`matching.yml`: any number of models, also none."""
    definitions: dict[str, Any] = {}
    model = _shape(MatchingModel, definitions, leave_out={"name"})
    one_of = [{"required": ["within"]}, {"required": ["between"]}]
    made = _named("matching", {**model, "oneOf": one_of}, definitions)
    models = made["properties"]["matching"]
    del models["minProperties"]
    none = {"type": ["null", "array"], "maxItems": 0}
    return {**made, "properties": {"matching": {"anyOf": [models, none]}}, "required": []}


def traits_schema() -> dict[str, Any]:
    """A file of `traits/`."""
    definitions: dict[str, Any] = {}
    return _named("traits", _shape(TraitDefinition, definitions), definitions)


def segment_schema() -> dict[str, Any]:
    """A file of `segments/`."""
    definitions: dict[str, Any] = {}
    return {**_shape(Definition, definitions), "$defs": definitions}


def deployment_schema() -> dict[str, Any]:
    """`deployment.yml`: any setting but the two that say where it lies."""
    definitions: dict[str, Any] = {}
    shape = _shape(Settings, definitions, leave_out={"home", "config"})
    return {**shape, "required": [], "$defs": definitions}


def personal_data_schema() -> dict[str, Any]:
    """`personal_data.yml`."""
    classes = {
        "type": "object",
        "additionalProperties": {
            "oneOf": [{"const": name, "description": told} for name, told in CLASSES.items()]
            + [{"const": PLAIN, "description": "No personal data."}]
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "everywhere": {**classes, "description": "Columns by their name, in every table."},
            "plain": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Names of columns that hold no personal data.",
            },
            "tables": {
                "type": "object",
                "propertyNames": {"pattern": r"^[^.]+\.[^.]+$"},
                "additionalProperties": classes,
                "description": "Columns by the table, as schema.table; * stands for any run.",
            },
        },
    }


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "sources": sources_schema,
    "segment": segment_schema,
    "traits": traits_schema,
    "roles": roles_schema,
    "matching": matching_schema,
    "deployment": deployment_schema,
    "personal_data": personal_data_schema,
}
"""Every schema by the name of its file below `FOLDER`."""


def _shape(
    model: type[BaseModel], definitions: dict[str, Any], leave_out: set[str] | None = None
) -> dict[str, Any]:
    """The schema of a model as its declaration is written; what it refers to goes to
    `definitions`."""
    made = model.model_json_schema(
        by_alias=True,
        ref_template="#/$defs/{model}",
        schema_generator=_AsWritten,
        mode="validation",
    )
    definitions |= made.pop("$defs", {})
    for name in leave_out or ():
        made["properties"].pop(name, None)
        if name in made.get("required", []):
            made["required"].remove(name)
    return _plain(made)


def _plain(shape: dict[str, Any]) -> dict[str, Any]:
    """Without the words that pydantic makes of Python's names."""
    shape.pop("title", None)
    for field in shape.get("properties", {}).values():
        field.pop("title", None)
    return shape


def _named(key: str, shape: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A file that has one key, below which each item stands under its name."""
    return {
        "type": "object",
        "properties": {key: {"type": "object", "minProperties": 1, "additionalProperties": shape}},
        "required": [key],
        "additionalProperties": False,
        "$defs": {name: _plain(each) for name, each in definitions.items()},
    }


def texts() -> dict[Path, str]:
    """Every schema as its file should be."""
    return {
        FOLDER / f"{name}.json": json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": f"Tributary: {name.replace('_', ' ')}",
                **make(),
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
        for name, make in SCHEMAS.items()
    }


def write() -> list[Path]:
    """Bring the schemas up to date; what changed."""
    changed = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in texts().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
