"""Cursor paths of dlt, compiled once each.

Belongs here: keeping what dlt's `incremental` compiles. Does not belong here: any cursor.

dlt builds a parser and compiles the same path eight times for each stream of a database, which is
most of what reading five tables without news costs. To be removed when dlt keeps compiled paths.
"""

from __future__ import annotations

from functools import cache

import dlt.extract.incremental as declared
import dlt.extract.incremental.transform as applied
from dlt.common.jsonpath import compile_path


def keep_compiled_paths() -> None:
    """Let dlt compile each cursor path once in this process."""
    declared.compile_path = applied.compile_path = _compiled  # type: ignore[attr-defined]


_compiled = cache(compile_path)
