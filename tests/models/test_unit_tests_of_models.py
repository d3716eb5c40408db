"""The unit tests that stand beside the models, run on a built warehouse."""

from __future__ import annotations

from cdp.demo import DemoShop
from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.store import open_warehouse
from tests.models.deployment import Deployment


def test_every_unit_test_of_a_model_holds(shop: tuple[Deployment, DemoShop]) -> None:
    deployment, _ = shop
    settings = deployment.settings()
    models = Models(settings, generate(settings))
    declared = {each.name for each in models.manifest().unit_tests.values()}
    with open_warehouse(settings):
        report = models.unit_test()
    assert {node.name for node in report.nodes if node.status == "pass"} == declared
    assert declared
