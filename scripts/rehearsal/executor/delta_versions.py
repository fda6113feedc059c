"""Sees which tables a program outside of Python has written: by the number of commits in the logs of their Delta tables."""

from __future__ import annotations

from pathlib import Path

from rehearsal.executor.environment import TaskEnvironment


class DeltaVersions:
    """The commits of all tables at the moment of its making.

    What such a program reads is not seen by this; it is said in the task's log.

    Args:
        environment: The task; its session is opened.
    """

    def __init__(self, environment: TaskEnvironment) -> None:
        self._environment = environment
        environment.table_names()  # opens the session, so that all tables are attached
        self._before = {name: _commits(str(about.get("storage_location", ""))) for name, about in environment.tables.items()}

    def note_changes(self) -> None:
        """Let the task record the tables that were written since, and those that are new."""
        environment = self._environment
        environment.say("What the JAR wrote is seen in the tables' logs; what it read is not seen.")
        for name in environment.table_names():
            if self._is_changed(name):
                environment.wrote(name)

    def _is_changed(self, name: str) -> bool:
        if name not in self._before:
            return True
        return _commits(str(self._environment.tables[name].get("storage_location", ""))) != self._before[name]


def _commits(location: str) -> list[str]:
    """The names of a Delta table's commits; none for a table that is no folder of this machine."""
    folder = Path(location.removeprefix("file://")) / "_delta_log"
    return sorted(path.name for path in folder.glob("*.json")) if location and folder.is_dir() else []
