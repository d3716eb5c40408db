"""Whether a data home has room for the demo shop, for those who did not ask for it by name.

Belongs here: telling a home that nobody has begun to use from one that holds somebody's own files,
declarations or runs. Does not belong here: generating the shop, which looks by itself whether a
file stands in its way.
"""

from __future__ import annotations

import json

from cdp.config.sources import load_sources
from cdp.warehouse.settings import Settings

PLACES = {
    "web": ("location", "{home}/landing/web"),
    "crm": ("location", "{home}/landing/crm"),
    "consent": ("location", "{home}/landing/consent"),
    "shop": ("url", "sqlite:///{home}/demo/shop.sqlite"),
}
"""The shipped sources and where each of them reads what the generator writes."""


def what_stands_in_the_way(settings: Settings) -> str | None:
    """Why the shop should not be put here unasked, as the end of a sentence; None where it may.

    Raises:
        ConfigError: the sources are declared wrongly.
    """
    if settings.warehouse_file.exists():
        return f"{settings.warehouse_file} has been run on already"
    for name, source in load_sources(settings).sources.items():
        option, place = PLACES.get(name, ("", ""))
        if not place or source.options.get(option) != place:
            return f"the source {name} in {settings.config / 'sources.yml'} is not the demo's"
    receipt = settings.demo_dir / "shop.json"
    own = set(json.loads(receipt.read_text(encoding="utf-8"))["files"]) if receipt.exists() else ()
    for path in sorted(settings.landing_dir.rglob("*")):
        # A part is what a generator that was cut off has left.
        is_left_over = path.is_dir() or path.suffix == ".part"
        if not is_left_over and str(path.relative_to(settings.home)) not in own:
            return f"{path} is not the demo's"
    return None
