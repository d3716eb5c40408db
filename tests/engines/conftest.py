"""One session of Spark for all tests of a process, which can have one and waits for it.

Belongs here: the session, and why it cannot be had. Does not belong here: any table in it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from cdp.warehouse.engines import checking
from cdp.warehouse.settings import Settings, load_settings
from tests.engines.small_spark import SMALL

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a deployment on Spark, in a folder of its own."""
    home = tmp_path_factory.mktemp("spark")
    settings = load_settings(home=home, target="spark", memory_limit="2GB", spark_conf=SMALL)
    if not find_spec("pyspark"):
        pytest.skip("pyspark is missing; `make engines` installs it")
    if not list(settings.spark_jars.glob("delta-*.jar")):
        pytest.skip(f"Delta's jars are not in {settings.spark_jars}; `make engines` fetches them")
    return settings


@pytest.fixture(scope="session")
def spark(spark_settings: Settings) -> SparkSession:
    """The session, with an empty lake."""
    from cdp.warehouse.engines.spark_session import start_session

    return start_session(spark_settings)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is looked at after the packages be looked at where they are not installed too."""
    monkeypatch.setattr(checking, "distribution", lambda name: name)
    monkeypatch.setattr(checking, "_seen", set())
