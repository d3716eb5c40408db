"""Whose models dbt builds in this process at the moment.

Belongs here: telling a model in Python the settings of the deployment that it is built for, which
dbt has no way to hand it. Does not belong here: running dbt (`cdp.warehouse.modelling`), what a
model does with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cdp.warehouse.settings import Settings, load_settings

_builds: list[Settings] = []
"""dbt runs models in threads of its own, which see no context variable."""


@contextmanager
def building(settings: Settings) -> Iterator[None]:
    """Let models that are built inside the block know their deployment."""
    _builds.append(settings)
    try:
        yield
    finally:
        _builds.pop()


def settings_of_build() -> Settings:
    """The settings of the deployment whose models are being built; where dbt was started by itself,
    those of this process."""
    return _builds[-1] if _builds else load_settings()
