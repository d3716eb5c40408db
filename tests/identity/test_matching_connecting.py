"""Matching takes no more of the machine than a deployment allows its engine, and no way out."""

from __future__ import annotations

import duckdb
import pytest

from cdp.identity.matching.connecting import limited, own_database

SETTINGS = "SELECT current_setting('threads'), current_setting('memory_limit')"


def test_it_keeps_to_what_is_allowed_and_may_take_less() -> None:
    with limited(2, "1GiB"):
        with own_database() as con:
            assert con.execute(SETTINGS).fetchone() == (2, "1.0 GiB")
        with own_database(threads=1) as con:
            assert con.execute(SETTINGS).fetchone() == (1, "1.0 GiB")
    with own_database() as con:
        assert con.execute(SETTINGS).fetchone() != (2, "1.0 GiB")


def test_nothing_that_stands_in_a_record_reads_a_file() -> None:
    with own_database() as con, pytest.raises(duckdb.PermissionException):
        con.execute("SELECT * FROM read_text('/etc/hostname')")
