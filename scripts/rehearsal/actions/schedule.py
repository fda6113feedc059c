"""Decides when a job may start: concurrency groups with their queues, gates, and what a newer job does to an older one.

A pure state machine: it waits for nothing and starts nothing. The rules are GitHub's documentation of `concurrency`: at most one entry of
a group runs; without `queue: max` a newcomer takes the place of the one that waits (also at a gate); `cancel-in-progress` stops the one
that runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where an entry is."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLED = "cancelled"
    LEFT = "left"


@dataclass(frozen=True)
class Group:
    """A concurrency group as one job asks for it (names are compared without regard to case, as GitHub does)."""

    name: str
    cancel_in_progress: bool = False
    queue_all: bool = False
    """`queue: max`: whoever waits keeps its place."""


@dataclass
class Entry:
    """One job, or one run or call whose jobs share a group."""

    key: str
    groups: list[Group]
    gate_open: bool = True
    state: State = State.WAITING
    reason: str = ""


class Schedule:
    """All entries of one repository, in the order of their arrival."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def enter(self, key: str, groups: Sequence[Group], *, gated: bool = False) -> list[str]:
        """Let a job come.

        Args:
            key: The job's own key.
            groups: The groups that it is in (none: nothing but its gate holds it).
            gated: It waits for a review first (see `open_gate`).

        Returns:
            Keys of entries that are to be stopped because of it: waiting ones (now `cancelled`) and running ones.
        """
        if key in self._entries and self._entries[key].state in {State.WAITING, State.RUNNING}:
            return []
        entry = Entry(key, list(groups), gate_open=not gated)
        stopped = [other for group in groups for other in self._make_room(key, group)]
        self._entries.pop(key, None)  # a later attempt stands at the end of the queue
        self._entries[key] = entry
        return stopped

    def _make_room(self, newcomer: str, group: Group) -> list[str]:
        stopped = []
        for other in self._in_group(group.name):
            if other.state == State.WAITING and not group.queue_all:
                other.state = State.CANCELLED
                other.reason = f"superseded by {newcomer} in concurrency group `{group.name}`"
                stopped.append(other.key)
            elif other.state == State.RUNNING and group.cancel_in_progress:
                other.reason = f"cancelled in favour of {newcomer} in concurrency group `{group.name}`"
                stopped.append(other.key)
        return stopped

    def open_gate(self, key: str) -> None:
        """Say that nothing but its groups holds a job any more."""
        self._entries[key].gate_open = True

    def try_start(self, key: str) -> State:
        """Start a job if it may start now; gives its state either way."""
        entry = self._entries[key]
        if entry.state == State.WAITING and entry.gate_open and all(self._free_for(entry, group) for group in entry.groups):
            entry.state = State.RUNNING
        return entry.state

    def _free_for(self, entry: Entry, group: Group) -> bool:
        others = self._in_group(group.name)
        if any(other.state == State.RUNNING for other in others if other is not entry):
            return False
        ahead = others[: others.index(entry)]
        return not any(other.gate_open for other in ahead)

    def leave(self, key: str) -> None:
        """Say that a job is over (or will not run); its groups are free for the next."""
        if key in self._entries and self._entries[key].state != State.CANCELLED:
            self._entries[key].state = State.LEFT

    def leave_all(self, prefix: str) -> None:
        """Say that everything whose key begins so is over, as when its run ends."""
        for key in self._entries:
            if key.startswith(prefix):
                self.leave(key)

    def cancel(self, key: str, reason: str) -> None:
        """Take a waiting job out."""
        entry = self._entries[key]
        if entry.state == State.WAITING:
            entry.state, entry.reason = State.CANCELLED, reason

    def entry(self, key: str) -> Entry:
        """Give an entry by its key."""
        return self._entries[key]

    def _in_group(self, name: str) -> list[Entry]:
        return [
            entry
            for entry in self._entries.values()
            if entry.state in {State.WAITING, State.RUNNING} and any(group.name.lower() == name.lower() for group in entry.groups)
        ]
