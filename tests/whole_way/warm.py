"""Imports that a run needs and that take seconds, made once for many processes.

Belongs here: importing, which must open no warehouse: a process is forked from this state. Does not
belong here: anything that is done.
"""

from __future__ import annotations

from orchestration.running import warm_up

warm_up()
