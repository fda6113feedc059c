"""Keeps the state in a file between two runs of the server (written when it ends; tokens and events are not kept)."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any

from rehearsal.github.errors import GitHubError
from rehearsal.github.state import State

FILE = "state.json"
KEPT = ("users", "repositories", "runs", "jobs", "gates", "deployments", "checks", "statuses", "artifacts", "workflow_ids")


def save(state: State) -> Path:
    """Write the state to `state.json` in its folder; secrets of repositories and environments are in it, so only the owner may read it."""
    with state.locked():
        content = {"last_id": state.last_id, **{name: encode(getattr(state, name)) for name in KEPT}}
    target = state.data / FILE
    new = target.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(content), encoding="utf-8")
    new.replace(target)
    return target


def load(state: State) -> None:
    """Read the state of an earlier server in the same folder, if there is one.

    Raises:
        GitHubError: 500 for a file that cannot be understood.
    """
    source = state.data / FILE
    if not source.exists():
        return
    hints = typing.get_type_hints(State)
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        for name in KEPT:
            setattr(state, name, decode(hints[name], content[name]))
        state.last_id = int(content["last_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise GitHubError(500, f"{source} is not a state of this version: {error!r}. Delete it to begin anew.") from error


def encode(value: Any) -> Any:
    """Make JSON of data classes, paths, lists and dictionaries."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: encode(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): encode(each) for key, each in value.items()}
    return [encode(each) for each in value] if isinstance(value, list) else value


def decode(kind: Any, value: Any) -> Any:
    """Make of JSON what a type says.

    Args:
        kind: A type as `typing.get_type_hints` gives it: a data class, Path, list, dict, a union with None, or plain.
        value: What `encode` made.

    Raises:
        TypeError, KeyError, ValueError: The value does not fit.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return decode(next(each for each in arguments if each is not type(None)), value)
    if origin is list:
        return [decode(arguments[0], each) for each in value]
    if origin is dict:
        return {(int(key) if arguments[0] is int else key): decode(arguments[1], each) for key, each in value.items()}
    if kind is Path:
        return Path(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{each.name: decode(hints[each.name], value[each.name]) for each in dataclasses.fields(kind)})
    return value
