"""Permissive licences end to end: what is installed with Tributary may be used as freely as it is.

A package whose metadata says it plainly passes by itself. Each other one stands in EXCEPTIONS with
what was found in its distribution and why it is taken; an exception that is not needed any more
fails too.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.markers import Marker

from cdp.warehouse.settings import PROJECT_ROOT

PERMISSIVE = {
    "0BSD",
    "AFL-2.1",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CNRI-Python",
    "HPND",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "ZPL-2.1",
    "Zlib",
}

PERMISSIVE_CLASSIFIERS = {
    "Apache Software License",
    "BSD License",
    "ISC License (ISCL)",
    "MIT License",
    "MIT No Attribution License (MIT-0)",
    "Python Software Foundation License",
    "The Unlicense (Unlicense)",
}

WORDED = re.compile(
    r"\s*(?:the )?(?:apache(?: software)?(?: license)?[ ,-]*(?:version|v)?[ .]*2(?:\.0)?"
    r"|(?:new |modified |[23][- ]clause )?bsd(?:[- ][23][- ]clause)?|mit|isc|psf|zlib)"
    r"(?: license)?\s*",
    re.IGNORECASE,
)
"""A licence as old metadata words it."""

UNMODIFIED = "copyleft of its own files alone (MPL-2.0); used unmodified, from its maker's package"

EXCEPTIONS = {
    "certifi": f"{UNMODIFIED}: a list of certificates, which every HTTP client needs",
    "crawler-user-agents": "MIT, as the licence file in its distribution says; no metadata",
    "hypothesis": f"{UNMODIFIED}: for tests only",
    "orjson": f"{UNMODIFIED}: one of its two licences; dlt and Dagster need it",
    "pathspec": f"{UNMODIFIED}: dbt needs it",
    "tqdm": f"{UNMODIFIED}: Great Expectations needs it",
    "text-unidecode": "the Artistic License is one of the two it offers; dbt's tables need it",
}


def locked_here() -> list[Distribution]:
    found = []
    for line in (PROJECT_ROOT / "requirements.lock").read_text().splitlines():
        requirement, _, condition = line.partition(";")
        if condition and not Marker(condition.strip()).evaluate():
            continue
        try:
            found.append(distribution(requirement.split("==")[0].strip()))
        except PackageNotFoundError as error:
            raise AssertionError(f"{error} is locked and not installed: call make env") from error
    return found


def is_permissive_expression(expression: str) -> bool:
    """Whether an SPDX expression leaves a permissive choice: any of OR, all of AND."""
    while "(" in expression:
        expression, replaced = re.subn(
            r"\(([^()]*)\)",
            lambda inner: "MIT" if is_permissive_expression(str(inner[1])) else "none",
            expression,
        )
        if not replaced:
            return False
    return any(
        all(licence.strip() in PERMISSIVE for licence in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def said(package: Distribution, field: str) -> str:
    return str((package.metadata.get_all(field) or [""])[0])


def is_permissive(package: Distribution) -> bool:
    expression = said(package, "License-Expression")
    if expression:
        return is_permissive_expression(expression)
    classifiers = [
        line.rsplit(" :: ", 1)[-1]
        for line in package.metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    if classifiers:
        return all(each in PERMISSIVE_CLASSIFIERS for each in classifiers)
    licence = said(package, "License")
    return WORDED.fullmatch(licence) is not None or is_permissive_expression(licence)


def test_every_locked_package_is_permissive_or_excepted_for_a_reason() -> None:
    strange = {
        package.metadata["Name"].lower(): (
            said(package, "License-Expression") or said(package, "License") or "?"
        )[:60]
        for package in locked_here()
        if not is_permissive(package) and package.metadata["Name"].lower() not in EXCEPTIONS
    }
    assert strange == {}


def test_no_exception_has_outlived_its_reason() -> None:
    needed = {each.metadata["Name"].lower() for each in locked_here() if not is_permissive(each)}
    assert set(EXCEPTIONS) - needed == set()


def test_an_expression_is_permissive_when_it_leaves_a_permissive_choice() -> None:
    assert is_permissive_expression("MIT OR GPL-3.0-only")
    assert is_permissive_expression("BSD-3-Clause AND (Apache-2.0 OR LGPL-3.0-only)")
    assert not is_permissive_expression("MIT AND LGPL-3.0-only")
    assert not is_permissive_expression("GPL-2.0-only WITH Classpath-exception-2.0")


def test_the_project_says_its_own_licence() -> None:
    assert "Apache License" in (PROJECT_ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (PROJECT_ROOT / "pyproject.toml").read_text()
