"""Files of identity rules that are tried before they count.

Belongs here: which files are meant, and laying them over a copy of the configuration. Does not
belong here: what may stand in them (`cdp.config.identity_rules`), trying them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from cdp.config.yaml_text import ConfigError

RULE_SEEDS = (
    "identifier_types",
    "identity_signs",
    "identity_scopes",
    "blocked_values",
    "identity_labels",
)
"""The seeds that say who is who."""


def rule_files(paths: Iterable[Path]) -> dict[str, Path]:
    """The files meant, by their seeds: files as they are named, and those of folders.

    Other files of a folder are no rules and left alone.

    Raises:
        ConfigError: there is no such file, it is called after no seed of rules, two are of one
            seed, or a folder has none.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            files = [path / f"{seed}.csv" for seed in RULE_SEEDS]
            files = [each for each in files if each.is_file()]
            if not files:
                raise ConfigError(path, None, f"the folder has no rules of identity; {_expected()}")
        else:
            files = [path]
        for file in files:
            if not file.is_file():
                raise ConfigError(file, None, "there is no such file")
            if file.suffix != ".csv" or file.stem not in RULE_SEEDS:
                raise ConfigError(
                    file, None, f"its name says not which rules it holds; {_expected()}"
                )
            if file.stem in found:
                raise ConfigError(file, None, f"{found[file.stem]} is tried for the same rules")
            found[file.stem] = file
    return found


def _expected() -> str:
    return f"expected {', '.join(f'{seed}.csv' for seed in RULE_SEEDS)}"


def lay_over(config: Path, files: Mapping[str, Path], target: Path) -> None:
    """Copy a configuration, with these files in place of its own seeds."""
    shutil.copytree(config, target)
    # A configuration that nobody may write to is copied with its rights.
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        folder.chmod(0o700)
    (target / "seeds").mkdir(exist_ok=True)
    for seed, path in files.items():
        laid = target / "seeds" / f"{seed}.csv"
        laid.unlink(missing_ok=True)
        shutil.copyfile(path, laid)
