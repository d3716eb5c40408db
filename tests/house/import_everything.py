"""A child process that imports modules and reports what that did besides.

Belongs here: what counts as work at import time. Does not belong here: which modules may do what
(`test_import_time`). Run as `python -m tests.house.import_everything <module> ...`; prints one JSON
object.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

ACTS = ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename")
HEAVY = ("dagster", "dbt", "dlt", "great_expectations", "pandas", "pyarrow")
DATA = (".yml", ".yaml", ".duckdb", ".sqlite", ".lark", ".csv", ".sql")


def main() -> None:
    import duckdb

    importing, deeds, brings = "", [], {}

    def note(deed: str) -> None:
        # A tool may do as it likes when it is imported; what is asked of here is our own modules.
        frame = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if "site-packages" in file:
                return
            if f"{'/'.join(importing.split('.'))}" in file:
                deeds.append(f"{importing}: {deed}")
                return
            if frame.f_back is None:
                return
            frame = frame.f_back

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode = str(arguments[0]), str(arguments[1] or "r")
            if path.endswith(DATA) or (set(mode) & set("wax+") and "__pycache__" not in path):
                note(f"opens a file {path.rsplit('/', 1)[-1]}")
        elif event in ACTS:
            note(event)

    def connect(*_: Any, **__: Any) -> None:
        note("connects to the warehouse's engine")

    duckdb.connect = connect  # type: ignore[assignment]
    sys.addaudithook(hear)
    known = set(sys.modules)
    for importing in sys.argv[1:]:
        importlib.import_module(importing)
        new = {name.split(".")[0] for name in set(sys.modules) - known}
        brings[importing] = sorted(new & set(HEAVY))
        known = set(sys.modules)
    json.dump({"deeds": deeds, "brings": brings}, sys.stdout)


if __name__ == "__main__":
    main()
