"""The parts of the reference pages that are written from what they describe.

Belongs here: turning settings, commands, declarations, models and reasons into Markdown, and
putting it between the marks of a page (`<!-- generated: name -->` to `<!-- end -->`). Does not
belong here: what people write themselves, which stands around the marks and is left alone.

`make reference` writes the pages; a test fails when one is not as it would be written.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cdp import schemas
from cdp.config.contract import ENTITIES
from cdp.config.matching import ATTRIBUTES, KINDS, Certain, MatchingModel
from cdp.config.matching_terms import CUTS, DERIVATIONS
from cdp.config.source_options import OPTIONS
from cdp.config.sources import Deletes, Map, Source, Stream, load_sources
from cdp.generation import SHIPPED_PROJECT
from cdp.segmentation.definitions import Definition, TraitDefinition, load_definitions
from cdp.segmentation.definitions import load_catalogue as load_traits
from cdp.warehouse.fault_points import POINTS
from cdp.warehouse.model_catalogue import Model, load_catalogue
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings

REGION = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[a-z_]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
STAGES = ("staging", "identity", "profiles", "segments", "governance")


def pages() -> list[Path]:
    """The documentation pages that have a generated part."""
    found = sorted((PROJECT_ROOT / "docs").rglob("*.md"))
    return [path for path in found if REGION.search(path.read_text(encoding="utf-8"))]


def rewritten(text: str) -> str:
    """A page's text with its generated parts as they should be."""
    return REGION.sub(
        lambda region: f"{region['begin']}\n{PARTS[region['name']]()}\n\n{region['end']}", text
    )


def settings_table() -> str:
    """Every setting with its variable, default and meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if field.default_factory is not None:
            shown = "number of cores"
        elif isinstance(default, Path):
            shown = f"`{default.relative_to(PROJECT_ROOT)}` in the clone"
        else:
            shown = "none" if default in (None, ()) else f"`{default}`"
        rows.append((f"`{name}`", f"`CDP_{name.upper()}`", shown, field.description or ""))
    return _table(("setting", "variable", "without it", "meaning"), rows)


def command_sections() -> str:
    """Every command with its arguments and options."""
    from cdp.cli import app

    sections = []
    for name, command in _commands("cdp", typer.main.get_command(app)):
        parameters = [
            (_spelled(one), _default(one), (getattr(one, "help", "") or ""))
            for one in command.params
            if one.name != "help"
        ]
        table = _table(("", "without it", "meaning"), parameters) if parameters else ""
        sections.append(f"## `{name}`\n\n{_first_line(command.help)}\n\n{table}".rstrip())
    return "\n\n".join(sections)


def command_names() -> list[str]:
    """Every command that can be given, with what groups it belongs to."""
    from cdp.cli import app

    return [name for name, _ in _commands("cdp", typer.main.get_command(app))]


def source_keys() -> str:
    """The keys of `sources.yml`, level by level."""
    levels = (("a source", Source), ("a stream", Stream), ("a map", Map), ("`deletes`", Deletes))
    return "\n\n".join(
        f"### Keys of {title}\n\n{_fields(model, leave_out={'name'})}" for title, model in levels
    )


def source_options() -> str:
    """The options of each kind of source; those that all kinds have come last."""
    rows = []
    fields = {kind: model.model_fields for kind, model in OPTIONS.items()}
    shared = set.intersection(*(set(each) for each in fields.values()))
    for kind, each in fields.items():
        rows += [_option(f"`{kind}`", n, field) for n, field in each.items() if n not in shared]
    any_kind = next(iter(fields.values()))
    rows += [_option("any", name, field) for name, field in any_kind.items() if name in shared]
    return _table(("kind", "option", "form", "", "meaning"), rows)


def matching_keys() -> str:
    """The keys of `matching.yml`, level by level."""
    levels = (("a model", MatchingModel), ("`certain`", Certain))
    return "\n\n".join(
        f"### Keys of {title}\n\n{_fields(model, leave_out={'name'})}" for title, model in levels
    )


def matching_words() -> str:
    """The closed vocabulary of `matching.yml`."""
    tables = (
        ("Kinds of `compare`", "kind", KINDS),
        ("What `derive` makes an attribute by", "before an attribute", DERIVATIONS),
        ("What pairs may agree on beside a whole attribute", "before an attribute", CUTS),
    )
    made = "\n\n".join(
        f"### {title}\n\n{_table((first, 'meaning'), _quoted(told))}"
        for title, first, told in tables
    )
    return f"{made}\n\nAttributes of a contact: {', '.join(f'`{each}`' for each in ATTRIBUTES)}."


def _quoted(told: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", text) for name, text in told.items()]


def _option(kind: str, name: str, field: FieldInfo) -> tuple[str, ...]:
    return (
        kind,
        f"`{field.alias or name}`",
        _kind(field.annotation),
        "must be given" if field.is_required() else "may be left out",
        field.description or "",
    )


def shipped_sources() -> str:
    """The sources of the shipped configuration."""
    rows = [
        (f"`{name}`", source.kind, source.purpose, _streams(source.streams), source.description)
        for name, source in load_sources(_shipped()).sources.items()
    ]
    return _table(("source", "kind", "purpose", "streams", "what it is"), rows)


def entity_sections() -> str:
    """The canonical contract: entities and columns."""
    sections = []
    for name, entity in ENTITIES.items():
        rows = [(f"`{c}`", column.type, column.description) for c, column in entity.columns.items()]
        key = ", ".join(f"`{column}`" for column in ("source", *entity.key))
        identified = f" A row is identified by {key}." if entity.key else ""
        table = _table(("column", "type", "meaning"), rows)
        sections.append(f"### `{name}`\n\n{entity.grain}{identified}\n\n{table}")
    return "\n\n".join(sections)


def segment_keys() -> str:
    """The keys of a segment's file."""
    return _fields(Definition)


def trait_keys() -> str:
    """The keys of a trait."""
    return _fields(TraitDefinition)


def shipped_segments() -> str:
    """The shipped segments with their rules and sentences."""
    settings = _shipped()
    segments = load_definitions(
        settings.config, load_traits(settings.config), settings.base_currency
    )
    return "\n\n".join(
        f"### `{segment.name}`\n\n{segment.description}\n\n```text\n{segment.rule_text}\n```\n\n"
        f"In words: {segment.sentence}\n\n"
        f"Owner: {segment.owner}. Purpose: {segment.purpose}."
        for segment in segments
    )


def shipped_traits() -> str:
    """The traits that rules may compare."""
    rows = [
        (
            f"`{trait.name}`",
            trait.kind,
            f"`profiles.dim_profiles.{trait.column}`",
            trait.description,
        )
        for trait in load_traits(_shipped().config).values()
    ]
    return _table(("trait", "type", "column", "what it is"), rows)


def model_sections() -> str:
    """Every model with its grain, kind, floor and columns, stage by stage."""
    catalogue = load_catalogue(SHIPPED_PROJECT)
    sections = []
    for stage in STAGES:
        sections.append(f"## {stage}")
        sections += [
            _model_section(model) for _, model in sorted(catalogue.items()) if model.schema == stage
        ]
    return "\n\n".join(sections)


def quarantine_reasons() -> str:
    """Every reason for which a row is quarantined."""
    from ingestion.envelope import REASONS

    return _table(("reason", "meaning"), [(f"`{code}`", why) for code, why in REASONS.items()])


def fault_points() -> str:
    """Every point at which the kill tests cut a run off."""
    return _table(("point", "what is true there"), [(f"`{n}`", w) for n, w in POINTS.items()])


def figures() -> str:
    """Every number that a benchmark is to reach, as it was measured last."""
    rows = []
    for path in sorted((PROJECT_ROOT / "benchmarks" / "results").glob("*.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        for figure in kept["figures"]:
            for result in kept["results"]:
                found = result.get(figure["key"])
                if found is None:
                    continue
                more = figure["more_is_better"]
                reached = found >= figure["reach"] if more else found <= figure["reach"]
                limit = f"{'≥' if more else '≤'} {figure['reach']:g}"
                size = f"{result[figure['size']]:,} {figure['size'].replace('_', ' ')}"
                what = (figure["what"], figure["against"], size, f"{found:g}", limit)
                rows.append((*what, "yes" if reached else "**no**"))
    return _table(("what", "against", "over", "measured", "to reach", "reached"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "commands": command_sections,
    "source_keys": source_keys,
    "source_options": source_options,
    "sources": shipped_sources,
    "entities": entity_sections,
    "matching_keys": matching_keys,
    "matching_words": matching_words,
    "segment_keys": segment_keys,
    "segments": shipped_segments,
    "trait_keys": trait_keys,
    "traits": shipped_traits,
    "models": model_sections,
    "quarantine_reasons": quarantine_reasons,
    "fault_points": fault_points,
    "figures": figures,
}
"""What writes each generated part, by the name in its mark."""


def _shipped() -> Settings:
    """The settings of the configuration that the clone ships, whatever the environment says."""
    return load_settings(config=PROJECT_ROOT / "config", home=PROJECT_ROOT / ".cdp")


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    within = getattr(command, "commands", None)
    if within is None:
        yield name, command
        return
    for each in sorted(within):
        yield from _commands(f"{name} {each}", within[each])


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{option}`" for option in parameter.opts)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    return "" if parameter.default in (None, False, (), []) else f"`{parameter.default}`"


def _first_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _streams(streams: dict[str, Stream]) -> str:
    return ", ".join(f"`{name}`" for name in streams)


def _fields(model: type[BaseModel], leave_out: Iterable[str] = ()) -> str:
    rows = [
        (
            f"`{name}`",
            _kind(field.annotation),
            "must be given" if field.is_required() else "may be left out",
            field.description or "",
        )
        for name, field in model.model_fields.items()
        if name not in leave_out
    ]
    return _table(("key", "form", "", "meaning"), rows)


def _kind(annotation: Any) -> str:
    """A type as a person who writes YAML would say it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(each) for each in arguments if each is not type(None))
    if origin is typing.Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin in (tuple, list):
        return "list"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "mapping"
    return {
        "str": "text",
        "timedelta": "duration",
        "bool": "true or false",
        "int": "number",
        "float": "number",
    }.get(getattr(annotation, "__name__", ""), "text")


def _model_section(model: Model) -> str:
    meta = model.meta
    facts = [f"{meta.get('kind', '')} table"]
    if meta.get("row_floor") is not None:
        reason = f" ({meta['row_floor_reason']})" if meta.get("row_floor_reason") else ""
        facts.append(f"at least {meta['row_floor']} rows{reason}".replace(".)", ")"))
    if meta.get("owner"):
        facts.append(f"owner {meta['owner']}")
    rows = [(f"`{name}`", kind, text) for name, (kind, text) in model.columns.items()]
    table = _table(("column", "type", "meaning"), rows)
    line = "; ".join(facts)
    said = line[0].upper() + line[1:]
    return f"### `{model.schema}.{model.name}`\n\n{model.description}\n\n{said}.\n\n{table}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for row in rows:
        cells = (" ".join(str(cell).split()).replace("|", "\\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write every generated part of the documentation anew."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if (wanted := rewritten(text)) != text:
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {path.relative_to(PROJECT_ROOT)}")
    for path in schemas.write():
        print(f"wrote {path.relative_to(PROJECT_ROOT)}")


if __name__ == "__main__":
    main()
