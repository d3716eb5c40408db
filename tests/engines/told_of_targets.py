"""What is said of a target that cannot work.

Belongs here: asking for it, and the settings that tests begin with. Does not belong here: any
sentence that is expected.
"""

from __future__ import annotations

import pytest

from cdp.warehouse.engines.checking import BadTarget, check_target
from cdp.warehouse.settings import Settings

BIGQUERY = {"target": "bigquery", "bigquery_project": "acme-cdp", "bigquery_location": "EU"}
ENGINES = "needs what `make engines` installs"
TAXONOMY = "projects/acme-cdp/locations/eu/taxonomies/7"


def told(settings: Settings) -> str:
    """What is said of a target that cannot work: one sentence."""
    with pytest.raises(BadTarget) as caught:
        check_target(settings)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 500
    return said
