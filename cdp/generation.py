"""Writing the dbt models that a deployment's declarations ask for.

Belongs here: which generated folder belongs to which declaration, comparing and writing files, and
putting together a project for a configuration other than the clone's own. Does not belong here:
the text of any model (`cdp.config`, `cdp.segmentation.generation`).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cdp.config import staging_models, version_models
from cdp.config.sources import load_sources
from cdp.segmentation import generation as segment_models
from cdp.segmentation.definitions import load_catalogue, load_definitions
from cdp.segmentation.traits import Catalogue
from cdp.warehouse import model_catalogue
from cdp.warehouse.settings import PROJECT_ROOT, Settings

SHIPPED_PROJECT = PROJECT_ROOT / "dbt_project"
GENERATED = ("models/staging/generated", "models/segments/generated")


@dataclass(frozen=True)
class Drift:
    """How generated files differ from what the declarations ask for (paths below the project)."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    surplus: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.surplus)


def wanted_files(settings: Settings) -> dict[str, str]:
    """Every generated file: path below the dbt project to text.

    Raises:
        ConfigError: a declaration is wrong.
    """
    sources = load_sources(settings)
    staging = staging_models.models(sources) | version_models.models(sources)
    catalogue = declared_traits(settings)
    definitions = load_definitions(settings.config, catalogue, settings.base_currency)
    segments = segment_models.models(definitions, catalogue)
    files = {f"models/staging/generated/{path}": text for path, text in staging.items()}
    files |= {f"models/segments/generated/{path}": text for path, text in segments.items()}
    return files


def declared_traits(settings: Settings) -> Catalogue:
    """The traits that a deployment declares, each of which has its column.

    Raises:
        ConfigError: a declaration is wrong, or names a column that profiles do not have.
    """
    # Of the clone's own project: one put together for another configuration is a copy of it.
    profiles = model_catalogue.load_catalogue(SHIPPED_PROJECT)["profiles", "dim_profiles"]
    return load_catalogue(settings.config, list(profiles.columns))


def project_dir(settings: Settings) -> Path:
    """The dbt project of a deployment: the clone's own, or one put together under the data home."""
    own = settings.config == PROJECT_ROOT / "config"
    return SHIPPED_PROJECT if own else settings.dbt_dir / "project"


def drift(settings: Settings) -> Drift:
    """Compare the generated files with the declarations, writing nothing."""
    wanted = wanted_files(settings)
    project = project_dir(settings)
    present = _present(project)
    return Drift(
        missing=tuple(sorted(set(wanted) - set(present))),
        changed=tuple(
            sorted(path for path in wanted if path in present and present[path] != wanted[path])
        ),
        surplus=tuple(sorted(set(present) - set(wanted))),
    )


def generate(settings: Settings) -> Path:
    """Bring the generated models of the deployment's project up to date; return the project.

    Files that are right are left alone, so that dbt has nothing to parse anew.
    """
    wanted = wanted_files(settings)
    project = project_dir(settings)
    if project != SHIPPED_PROJECT:
        _mirror_shipped(project, settings.config / "seeds")
    present = _present(project)
    for path in set(present) - set(wanted):
        (project / path).unlink()
    for path, text in wanted.items():
        if present.get(path) != text:
            target = project / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return project


def _present(project: Path) -> dict[str, str]:
    return {
        str(path.relative_to(project)): path.read_text(encoding="utf-8")
        for folder in GENERATED
        for path in sorted((project / folder).rglob("*"))
        if path.is_file()
    }


def _mirror_shipped(project: Path, own_seeds: Path) -> None:
    """Copy what is not generated; what the clone no longer has goes.

    Args:
        own_seeds: seeds of the configuration, each in place of the shipped one of its name.
    """
    wanted: dict[Path, Path] = {}
    for folder in ("models", "macros", "seeds", "tests"):
        for path in (SHIPPED_PROJECT / folder).rglob("*"):
            below = path.relative_to(SHIPPED_PROJECT)
            if path.is_file() and not str(below).startswith(GENERATED):
                wanted[below] = path
    wanted |= {Path("seeds") / path.name: path for path in own_seeds.glob("*.csv")}
    wanted[Path("dbt_project.yml")] = SHIPPED_PROJECT / "dbt_project.yml"
    for below, path in wanted.items():
        target = project / below
        if not target.exists() or target.read_bytes() != path.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for folder in ("models", "macros", "seeds", "tests"):
        for path in (project / folder).rglob("*"):
            below = path.relative_to(project)
            if path.is_file() and below not in wanted and not str(below).startswith(GENERATED):
                path.unlink()
