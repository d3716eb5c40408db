"""All definitions of a deployment, put together.

Belongs here: which assets, checks, jobs, schedules and sensors there are. Does not belong here:
any of them.

`workspace.yaml` names the function below, so importing this module does nothing; calling it reads
the declarations and the parsed project, and writes only when they have changed since.
"""

from __future__ import annotations

import dagster as dg

from cdp.warehouse.settings import load_settings
from orchestration.deployment import Deployment, load_deployment
from orchestration.gates import gate_checks
from orchestration.held import KEY, warehouse_resource
from orchestration.jobs import jobs
from orchestration.models import model_assets
from orchestration.models import source_specs as table_specs
from orchestration.raw import raw_assets, source_specs
from orchestration.serving import serving_assets
from orchestration.triggers import daily, failure_alerts, landing_folders, lost_runs


def definitions() -> dg.Definitions:
    """The definitions of the deployment that this process's settings describe."""
    return definitions_of(load_deployment(load_settings()))


def definitions_of(deployment: Deployment) -> dg.Definitions:
    """The definitions of a deployment."""
    return dg.Definitions(
        assets=[
            *source_specs(deployment),
            *table_specs(deployment),
            *raw_assets(deployment),
            *model_assets(deployment),
            *serving_assets(deployment),
        ],
        asset_checks=gate_checks(deployment),
        jobs=jobs(deployment),
        schedules=[daily(deployment)],
        sensors=[
            landing_folders(deployment),
            lost_runs(deployment),
            failure_alerts(deployment),
        ],
        resources={KEY: warehouse_resource(deployment)},
        # One process for all steps of a run, whoever starts it: they share the held warehouse.
        executor=dg.in_process_executor,
    )
