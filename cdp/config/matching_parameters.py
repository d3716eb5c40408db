"""`config/matching/<model>.json`: what a matching model has learned, and who had it learn.

Belongs here: the shape of the file, where it lies, reading it and writing it. Does not belong here:
learning (`cdp.identity.matching`). Nothing but `cdp identity train` writes such a file, so that ids
do not move by themselves; it stands beside the declarations, where a repository keeps its versions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cdp.config.declared import Declared
from cdp.config.matching import MatchingModel, load_matching
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.settings import Settings

FOLDER = "matching"


class Learned(Declared):
    """What a model has learned: numbers and hashes, and no value of any record."""

    learned_at: datetime = Field(description="When it was learned, UTC.")
    learned_by: str = Field(description="Who had it learn.")
    records: int = Field(ge=0, description="From how many records.")
    parameters: dict[str, Any] = Field(description="What the model goes by when it scores pairs.")


def parameters_file(settings: Settings, model: str) -> Path:
    """The file that holds what a model has learned, whether it is there or not."""
    return settings.config / FOLDER / f"{model}.json"


def load_parameters(
    settings: Settings, models: Mapping[str, MatchingModel] | None = None
) -> dict[str, Learned]:
    """What each model has learned; a model that has not been trained is left out.

    Args:
        models: the models by name; those of `matching.yml` when not given.

    Raises:
        ConfigError: a file is none, or holds what was learned for other sources, attributes or
            kinds than its model has now.
    """
    found = {}
    for name, model in (load_matching(settings) if models is None else models).items():
        path = parameters_file(settings, name)
        if not path.exists():
            continue
        found[name] = learned = _read(path, name)
        if learned.parameters.get("learned_for") != model.learned_for():
            raise ConfigError(
                path,
                None,
                f"this was learned for other sources, attributes or kinds than the matching model "
                f"'{name}' has now; train it again by `cdp identity train {name}`, or remove the "
                "file: runs land what is new and the model proposes nothing until it is trained",
            )
    return found


def untrained(settings: Settings) -> list[str]:
    """The names of the models that propose nothing yet, for want of parameters."""
    models = load_matching(settings)
    return sorted(set(models) - set(load_parameters(settings, models)))


def save_parameters(settings: Settings, model: str, learned: Learned) -> Path:
    """Write what a model has learned in place of what it had; answer the file."""
    path = parameters_file(settings, model)
    path.parent.mkdir(exist_ok=True)
    written = path.with_suffix(".new")
    told = learned.model_dump(mode="json")
    written.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(written, path)
    return path


def _read(path: Path, name: str) -> Learned:
    again = f"train the model again by `cdp identity train {name}`"
    try:
        return Learned(**json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise ConfigError(path, error.lineno, f"this is no JSON; {again}") from error
    except (TypeError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(
            path, None, f"this does not hold what a matching model learns; {again}"
        ) from error
