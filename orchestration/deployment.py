"""What the definitions are made from: a deployment's declarations and its parsed dbt project.

Belongs here: bringing generated models up to date before Dagster sees them, and keeping the parsed
project as a file, so that only the first loading after a change pays for parsing (seconds). Loading
a second time writes nothing.
Does not belong here: anything that opens the warehouse.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from cdp.config.identity_rules import load_identity_rules
from cdp.config.matching_parameters import load_parameters
from cdp.config.roles import Role, load_roles
from cdp.config.sources import Source, load_sources
from cdp.config.staging_models import id_types
from cdp.generation import generate
from cdp.warehouse.engines.checking import check_target
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import logic_hash
from cdp.warehouse.settings import Settings

LOG = logging.getLogger(__name__)

BUILT = ("staging", "identity", "profiles", "segments")
"""The stages that dbt builds, in the order of the data."""


@dataclass(frozen=True)
class Deployment:
    """A deployment as the definitions need it.

    Attributes:
        project: the dbt project, its generated models up to date.
        manifest: the parsed project, as dbt writes it.
        fingerprint: changes with any file of the project.
    """

    settings: Settings
    sources: Mapping[str, Source]
    roles: Mapping[str, Role]
    project: Path
    manifest: Mapping[str, Any]
    fingerprint: str
    logic: str

    def models_of(self, stage: str) -> dict[str, Mapping[str, Any]]:
        """The nodes (models) that a stage builds, by unique id."""
        return {
            unique_id: node
            for unique_id, node in self.manifest["nodes"].items()
            if node["resource_type"] == "model" and stage in node["tags"]
        }

    def platform_owners(self) -> list[str]:
        """Who answers for what no source and no model declares: who does for the record of runs."""
        record = next(
            node for node in self.manifest["nodes"].values() if node["name"] == "int_current_run"
        )
        return owners(record["config"]["meta"]["owner"])

    def seeds(self) -> dict[str, Mapping[str, Any]]:
        """The seeds of the project, by unique id."""
        return {
            unique_id: node
            for unique_id, node in self.manifest["nodes"].items()
            if node["resource_type"] == "seed"
        }


def owners(declared: str | None) -> list[str]:
    """An owner as Dagster takes it: an address as it stands, any other name as a team."""
    if not declared:
        return []
    if _ADDRESS.fullmatch(declared):
        return [declared]
    return ["team:" + re.sub("[^a-z0-9]+", "-", declared.lower()).strip("-")]


_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)


def load_deployment(settings: Settings) -> Deployment:
    """Read the declarations, generate the models they ask for, and parse the project if it changed.

    Raises:
        BadTarget: the chosen engine cannot be used here.
        ConfigError: a declaration is wrong.
        ModelsFailed: dbt cannot parse the project.
    """
    check_target(settings)
    sources, roles = load_sources(settings).sources, load_roles(settings)
    for warning in load_identity_rules(settings, sources, id_types(sources.values())).warnings:
        LOG.warning(warning)
    load_parameters(settings)
    settings.dbt_dir.mkdir(parents=True, exist_ok=True)
    # The UI, its daemon and a run may all load the definitions at once.
    with FileLock(settings.dbt_dir / "project.lock"):
        project = generate(settings)
        models = Models(settings, project)
        fingerprint = models.fingerprint()
        manifest = _manifest(settings, models, fingerprint)
        logic = logic_hash(settings)
    return Deployment(settings, sources, roles, project, manifest, fingerprint, logic)


def _manifest(settings: Settings, models: Models, fingerprint: str) -> Mapping[str, Any]:
    kept = settings.dbt_dir / "manifest" / f"{fingerprint}.json"
    if not kept.exists():
        parsed = models.manifest().writable_manifest().to_dict()
        kept.parent.mkdir(exist_ok=True)
        written = kept.with_suffix(".new")
        # What the definitions do not read is left out: it is most of the file.
        slim = {key: parsed[key] for key in ("metadata", "nodes", "sources", "groups", "exposures")}
        slim |= {key: {} for key in _UNREAD}
        written.write_text(json.dumps(slim, default=str), encoding="utf-8")
        os.replace(written, kept)
        for other in kept.parent.glob("*.json"):
            if other != kept:
                other.unlink(missing_ok=True)
    manifest: dict[str, Any] = json.loads(kept.read_bytes())
    return manifest


_UNREAD = (
    "macros",
    "docs",
    "metrics",
    "selectors",
    "disabled",
    "parent_map",
    "child_map",
    "group_map",
    "saved_queries",
    "semantic_models",
    "unit_tests",
)
