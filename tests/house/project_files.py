"""The files of the project as its house rules see them.

Belongs here: which files are the project's, and what a module imports. Does not belong here: any
rule about them.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cdp.warehouse.settings import PROJECT_ROOT

PACKAGES = ("cdp", "ingestion", "expectations", "orchestration")


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is committed or would be, relative to the clone."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (Path(name) for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if (PROJECT_ROOT / path).is_file()))


def text_of(path: Path) -> str | None:
    """A file's text; none for a picture or another file that is not text."""
    try:
        return (PROJECT_ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def module_name(path: Path) -> str:
    """The dotted name under which a file of a package is imported."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> tuple[Path, ...]:
    """Every module of the packages."""
    return tuple(
        path for path in project_files() if path.suffix == ".py" and path.parts[0] in PACKAGES
    )


@dataclass(frozen=True)
class Import:
    """One import of one module."""

    path: Path
    line: int
    name: str
    at_import_time: bool
    """Whether it happens as soon as the importing module is imported."""
    type_only: bool
    """Whether it stands under `if TYPE_CHECKING` and never happens."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.name}"


def is_within(name: str, package: str) -> bool:
    """Whether a dotted name is a package or stands in it."""
    return name == package or name.startswith(f"{package}.")


def imports_of(path: Path) -> Iterator[Import]:
    """The imports of a module, those within functions included."""
    tree = ast.parse((PROJECT_ROOT / path).read_text(encoding="utf-8"))
    yield from _imports(tree, path, at_import_time=True, type_only=False)


def _imports(
    node: ast.AST, path: Path, *, at_import_time: bool, type_only: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(path, child.lineno, alias.name, at_import_time, type_only)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{path}:{child.lineno} imports relatively"
            for alias in child.names:
                name = f"{child.module}.{alias.name}"
                yield Import(path, child.lineno, name, at_import_time, type_only)
        else:
            within_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from _imports(
                child,
                path,
                at_import_time=at_import_time and not within_function and not for_types,
                type_only=type_only or for_types,
            )
