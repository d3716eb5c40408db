"""A gate's verdict as Dagster shows it: one check result on an asset.

Belongs here: what the graph shows of a verdict. Does not belong here: what is checked
(`expectations`), where a gate stands (`orchestration.gates`, `orchestration.serving`).
"""

import json
from collections.abc import Sequence

import dagster as dg

from expectations.checks import CheckResult, GateVerdict


def evaluation(
    name: str, key: dg.AssetKey, verdict: GateVerdict, checks: Sequence[CheckResult]
) -> dg.AssetCheckResult:
    """What a gate found out about an asset.

    Args:
        name: the name of the gate's check.
        key: the asset that it stands on.
        verdict: what the gate says of the stage.
        checks: those of its checks that are about the asset.
    """
    failed = [check for check in checks if not check.passed]
    told = (
        "; ".join(f"{check.table} {check.name}" for check in failed)
        if failed
        else f"{len(checks)} checks passed"
    )
    return dg.AssetCheckResult(
        passed=not failed,
        asset_key=key,
        check_name=name,
        description=told[:2_000],
        metadata={
            "checks": len(checks),
            "failed": len(failed),
            "scope": verdict.scope,
            "seconds": round(verdict.seconds, 3),
            # What failed comes first; what a check observed holds numbers and names, no row values.
            "verdict": dg.TableMetadataValue(
                records=[
                    dg.TableRecord(
                        {
                            "table": check.table,
                            "check": check.name,
                            "passed": check.passed,
                            "observed": json.dumps(check.observed, default=str),
                        }
                    )
                    for check in sorted(checks, key=lambda each: each.passed)
                ],
                schema=_VERDICT,
            ),
        },
    )


_VERDICT = dg.TableSchema(
    columns=[
        dg.TableColumn("table"),
        dg.TableColumn("check"),
        dg.TableColumn("passed", "bool"),
        dg.TableColumn("observed"),
    ]
)
