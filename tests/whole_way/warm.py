"""Imports that a run needs and that take seconds, made once for many processes.

Belongs here: importing, which must open no warehouse: a process is forked from this state. Does not
belong here: anything that is done.
"""

from __future__ import annotations

import dbt.cli.main
import dlt

import expectations.gates
import expectations.serving
import ingestion.pipelines
import orchestration.running

__all__ = ["dbt", "dlt", "expectations", "ingestion", "orchestration"]
