"""Which file of a configuration counts.

Belongs here: the rule that a configuration of one's own says only what differs from the shipped
one. Does not belong here: reading any file.
"""

from __future__ import annotations

from pathlib import Path

from cdp.warehouse.settings import PROJECT_ROOT

SHIPPED_CONFIG = PROJECT_ROOT / "config"


def config_path(config: Path, name: str) -> Path:
    """A file or folder of a configuration: its own, else the one that the clone ships.

    Its sources, settings and segments are always its own; they are not asked for here.
    """
    own = config / name
    return own if own.exists() else SHIPPED_CONFIG / name
