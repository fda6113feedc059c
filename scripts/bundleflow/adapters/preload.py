"""Imports a slow library in a thread while something else is waited for; whoever needs the library waits for that thread.

Two threads that import one package at once can block each other, so every use of such a library begins with `wait`.
"""

from __future__ import annotations

import contextlib
import importlib
import threading

SDK = "databricks.sdk"
"""1.5 s to import."""
GITHUB = "github"
"""0.4 s to import."""

_done: dict[str, threading.Event] = {}


def preload(*modules: str) -> None:
    """Begin to import modules, one after the other; returns at once."""
    # What registers itself for the interpreter's end must be there before a process can end in the middle of an import.
    importlib.import_module("concurrent.futures.thread")
    wanted = [name for name in modules if name not in _done]
    for name in wanted:
        _done[name] = threading.Event()
    # Not a daemon: a process that ends in the middle of an import of compiled code may crash.
    threading.Thread(target=_load, args=(wanted,)).start()


def wait(module: str) -> None:
    """Wait until a module that is being imported is there; returns at once for any other."""
    found = _done.get(module)
    if found is not None:
        found.wait()


def _load(modules: list[str]) -> None:
    for name in modules:
        # An import that fails is tried again by who needs the module, and told there.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
        _done[name].set()
