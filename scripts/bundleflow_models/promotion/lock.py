"""A lock per model: a file in the workspace that only one writer can create, and the journal of what it began."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.interfaces import Files

FOLDER = "/Shared/.bundleflow/locks"
"""Where the locks are: one place for every target and every writer, since a model is one in all of them."""
SILENCE_S = 600.0
"""A holder that gave no sign of life for so long is taken for dead."""
RENEW_S = 60.0
"""How often a holder gives one."""

Tell = Callable[[str], None]
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class LockLostError(ModelsError):
    """The lock was taken away from its holder: what stands now is another's, and is left alone."""


@dataclass(frozen=True)
class Held:
    """What a lock file says.

    Args:
        token: Known to its holder only.
        holder: Who holds it, for people.
        since: When it was taken.
        seen: The last sign of life.
        journal: What stood before the holder's first change; empty while nothing was changed.
    """

    token: str
    holder: str
    since: datetime
    seen: datetime
    journal: Mapping[str, Any]


def lock_path(model: str) -> str:
    """The lock of a model (names of models hold no `/`)."""
    return f"{FOLDER}/{model.lower()}.json"


class Lock:
    """The lock of one model, held from `take` to `release`.

    Args:
        files: The workspace's files.
        model: Full name of the model.
        holder: Who takes it, for people.
        tell: Takes a line for people.
        clock: Gives the time.
    """

    def __init__(self, files: Files, model: str, holder: str, *, tell: Tell, clock: Clock = utc_now) -> None:
        self._files, self._model, self._holder, self._tell, self._clock = files, model, holder, tell, clock
        self._path, self._token = lock_path(model), secrets.token_hex(16)
        self._since = self._seen = clock()
        self._journal: Mapping[str, Any] = {}

    def take(self, *, by_force: bool = False) -> Mapping[str, Any]:
        """Take the lock.

        Args:
            by_force: Take it from a holder that still lives (a person says so, who knows that it does not).

        Returns:
            The journal of a dead holder, whose changes have to be undone first; empty when there is none.

        Raises:
            ModelsError: `locked`: somebody else holds it.
        """
        self._since = self._seen = self._clock()
        if self._create():
            return {}
        held = self._read()
        if held is None:  # released in the meantime
            return self._again()
        if held.token == self._token:  # the first request went through, and its answer was lost
            return {}
        silent = (self._clock() - held.seen).total_seconds()
        if silent < SILENCE_S and not by_force:
            raise self._held(held)
        self._tell(f"The lock of {self._model} is taken from {held.holder}, which gave its last sign of life {age(silent)} ago.")
        self._replace_dead(held)
        return held.journal

    def write(self, journal: Mapping[str, Any]) -> None:
        """Write down what stands now, before the first change.

        Raises:
            LockLostError: `locked`: the lock was taken away.
        """
        self._journal = journal
        self._renew()

    def keep(self) -> None:
        """Give a sign of life when one is due.

        Raises:
            LockLostError: `locked`: the lock was taken away.
        """
        if (self._clock() - self._seen).total_seconds() >= RENEW_S:
            self._renew()

    def check(self) -> None:
        """Check that the lock is still this holder's.

        Raises:
            LockLostError: `locked`: it was taken away.
        """
        held = self._read()
        if held is None or held.token != self._token:
            who = held.holder if held else "somebody"
            raise LockLostError(
                "locked",
                f"The lock of {self._model} was taken away by {who} while this promotion was on its way; what stands now was left alone.",
                fix="See what holds now with `bundleflow model status`, then start again.",
            )

    def release(self) -> None:
        """Give the lock back; one that was taken away is left to its new holder."""
        held = self._read()
        if held is not None and held.token == self._token:
            self._files.delete(self._path)

    def _renew(self) -> None:
        self.check()
        self._seen = self._clock()
        self._files.replace(self._path, self._content())

    def _again(self) -> Mapping[str, Any]:
        if not self._create():
            held = self._read()
            if held is None or held.token != self._token:
                raise self._held(held)
        return {}

    def _replace_dead(self, held: Held) -> None:
        """Write this holder into a dead one's file; of several who try, one does, because each needs the same file beside it first.

        What the dead holder began is now this holder's to undo. The file is never away, and never without that: who comes in between
        finds a holder, dead or alive.
        """
        beside = f"{self._path}.after-{held.token}"
        if not self._files.create(beside, self._content()):
            raise self._held(held, f" If nobody is at it, delete {beside} in the workspace.")
        try:
            now = self._read()
            if now is None or now.token != held.token:
                raise self._held(now)
            self._journal = held.journal
            self._files.replace(self._path, self._content())
        finally:
            self._files.delete(beside)

    def _create(self) -> bool:
        return self._files.create(self._path, self._content())

    def _content(self) -> bytes:
        return json.dumps(
            {
                "token": self._token,
                "holder": self._holder,
                "since": self._since.isoformat(),
                "seen": self._seen.isoformat(),
                "journal": self._journal,
            },
            indent=1,
        ).encode()

    def _read(self) -> Held | None:
        return read_lock(self._files, self._model)

    def _held(self, held: Held | None, more: str = "") -> ModelsError:
        who = (
            f"{held.holder} since {held.since:%Y-%m-%d %H:%M:%S} UTC ({age((self._clock() - held.since).total_seconds())})" if held else ""
        )
        return ModelsError(
            "locked",
            f"The model {self._model} is being changed by {who or 'somebody else'}.",
            fix=f"Wait for its end. A holder that gives no sign of life for {age(SILENCE_S)} loses the lock to who comes next.{more}",
        )


def read_lock(files: Files, model: str) -> Held | None:
    """Who holds the lock of a model; None for nobody.

    Raises:
        ModelsError: `locked`: the file is no lock.
    """
    content = files.read(lock_path(model))
    if content is None:
        return None
    try:
        data = json.loads(content)
        since, seen = (datetime.fromisoformat(data[key]) for key in ("since", "seen"))
        return Held(str(data["token"]), str(data["holder"]), since, seen, dict(data["journal"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ModelsError(
            "locked",
            f"The lock file {lock_path(model)} cannot be read: {error}.",
            fix="Delete it in the workspace when nobody is promoting this model.",
        ) from error


def age(seconds: float) -> str:
    """A length of time in words, such as `12 min`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
