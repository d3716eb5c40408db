"""YAML as people write it: safe tags only, and every key knows its line.

Belongs here: parsing, line numbers, duplicate keys, the error that names file and line.
Does not belong here: what any of the files means.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000
"""A declaration larger than this is a mistake or an attack."""

KeyPath = tuple[str | int, ...]


class ConfigError(ValueError):
    """A declaration is wrong: says the file, the line, what was wrong and what is allowed."""

    def __init__(
        self,
        path: Path | str,
        line: int | None,
        message: str,
        allowed: Iterable[str] = (),
    ) -> None:
        self.path, self.line = Path(path), line
        super().__init__(f"{self.path}:{line or 1}: {nearest(message, allowed)}")


def nearest(message: str, allowed: Iterable[str]) -> str:
    """A message with what is allowed, and which of it is nearest to the last word it quotes."""
    names = sorted(str(name) for name in allowed)
    if not names:
        return message
    text = f"{message}; allowed: {', '.join(names)}"
    quoted = message.rsplit("'", 2)
    near = difflib.get_close_matches(quoted[1], names, 1) if len(quoted) == 3 else []
    return f"{text} (did you mean '{near[0]}'?)" if near else text


@dataclass(frozen=True)
class YamlText:
    """A parsed file with the line of every key and item.

    Attributes:
        path: the file.
        data: plain dicts, lists, strings, numbers, booleans, datetimes and None.
        lines: line (1-based) of each path of keys and indexes.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def line_of(self, *keys: str | int) -> int:
        """The line of the nearest known ancestor of a path of keys."""
        path: KeyPath = tuple(keys)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, keys: KeyPath, message: str, allowed: Iterable[str] = ()) -> ConfigError:
        """The error for what stands at `keys`."""
        return ConfigError(self.path, self.line_of(*keys), message, allowed)


def load_yaml(path: Path) -> YamlText:
    """Read one declaration.

    Raises:
        ConfigError: missing, too large, not UTF-8, not YAML, an unsafe tag, an alias, a duplicate
            key, or not a mapping at the top.
    """
    return parse_yaml(read_yaml(path), path)


def read_yaml(path: Path) -> bytes:
    """The bytes of a declaration: what a reader that keeps what it made of them goes by.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            path, None, f"the file cannot be read ({type(error).__name__})"
        ) from error


def parse_yaml(raw: bytes | str, path: Path) -> YamlText:
    """Parse the text of a declaration; see `load_yaml`."""
    if len(raw) > MAX_BYTES:
        raise ConfigError(path, None, f"the file is larger than {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise ConfigError(path, None, "the file is not UTF-8 text") from error
    except RecursionError as error:
        raise ConfigError(path, None, "the file is nested too deeply") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(path, mark.line + 1 if mark else None, str(problem)) from error
    if node is None:
        return YamlText(path, {})
    lines: dict[KeyPath, int] = {}
    data = _Builder(path, lines).build(node, ())
    if not isinstance(data, dict):
        raise ConfigError(path, node.start_mark.line + 1, "expected a mapping of keys to values")
    return YamlText(path, data, lines)


class _Builder:
    """Turns YAML nodes into plain data, noting lines and refusing what is not plain."""

    _PLAIN = frozenset(
        f"tag:yaml.org,2002:{name}"
        for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
    )

    def __init__(self, path: Path, lines: dict[KeyPath, int]) -> None:
        self._path, self._lines = path, lines
        self._seen: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, keys: KeyPath) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(keys, line)
        if node.tag not in self._PLAIN:
            raise ConfigError(self._path, line, f"the tag {node.tag} is not allowed here")
        if id(node) in self._seen:
            raise ConfigError(self._path, line, "aliases are not allowed here; write it out")
        self._seen.add(id(node))
        if len(keys) > 50:
            raise ConfigError(self._path, line, "nested deeper than 50 levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*keys, index)) for index, child in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            raise ConfigError(self._path, line, "this value cannot be read") from error

    def _mapping(self, node: yaml.MappingNode, keys: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(self._path, line, "a key must be plain text")
            key = str(key_node.value)
            if key in result:
                raise ConfigError(self._path, line, f"the key '{key}' stands twice")
            self._lines[(*keys, key)] = line
            result[key] = self.build(value_node, (*keys, key))
        return result
