"""What lands says the same times wherever the machine stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdp.warehouse.settings import PROJECT_ROOT

LAND = """
import json, sys
from pathlib import Path
from tests.ingestion.landing import Landing

landing = Landing(Path(sys.argv[1]))
landing.declare_events()
lines = [
    {"messageId": at, "type": "track", "event": "x", "userId": "u", "timestamp": at}
    for at in json.loads(sys.argv[2])
]
landing.put("a.ndjson", "".join(json.dumps(line) + chr(10) for line in lines).encode())
landing.land()
rows = landing.rows("SELECT occurred_at FROM raw.web ORDER BY landing_number")
print(json.dumps([row[0].isoformat() for row in rows]))
"""

TOLD = ["2026-06-01T12:00:00Z", "2026-06-01T12:00:00+00:00", "2026-06-01T14:00:00+02:00"]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_a_time_is_the_same_moment_on_a_machine_of_any_zone(tmp_path: Path, zone: str) -> None:
    landed = subprocess.run(
        [sys.executable, "-c", LAND, str(tmp_path), json.dumps(TOLD)],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        env={**os.environ, "TZ": zone},
    )
    assert json.loads(landed.stdout) == ["2026-06-01T12:00:00"] * 3
