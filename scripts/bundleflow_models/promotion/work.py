"""What promotion and rollback share: holding the lock, repairing what a dead holder left, undoing on failure."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.endpoint import Switch
from bundleflow_models.promotion.interfaces import Endpoints, Files, Registry
from bundleflow_models.promotion.lock import SILENCE_S, Lock, LockLostError, Tell, age, utc_now
from bundleflow_models.promotion.records import ModelState, Pace
from bundleflow_models.promotion.snapshot import Snapshot, word


@dataclass(frozen=True)
class Workspace:
    """What a promotion works on.

    Args:
        registry: Registered models.
        endpoints: Serving endpoints.
        files: Files of the workspace, for the lock.
        clock: Gives the time.
    """

    registry: Registry
    endpoints: Endpoints
    files: Files
    clock: Callable[[], datetime] = utc_now


class NotRestoredError(ModelsError):
    """A promotion failed, and so did going back: the lock is kept, with what has to be brought back."""


@dataclass(frozen=True)
class Work:
    """One promotion or rollback on its way.

    Args:
        workspace: Where.
        lock: The model's lock.
        pace: How its endpoint is switched.
        tell: Takes a line for people.
        notes: Takes what is worth saying at the end.
    """

    workspace: Workspace
    lock: Lock
    pace: Pace
    tell: Tell
    notes: list[str] = field(default_factory=list)

    @property
    def registry(self) -> Registry:
        """Registered models."""
        return self.workspace.registry

    def switch(self, model: str, endpoint: str | None) -> Switch | None:
        """The switch of an endpoint; None for none."""
        if not endpoint:
            return None
        pace = self.pace
        return Switch(
            self.workspace.endpoints,
            endpoint,
            model,
            percent=pace.candidate_percent,
            limit_s=pace.update_limit_s,
            poll_s=pace.poll_s,
            keep=self.lock.keep,
            tell=self.tell,
            notes=self.notes,
        )

    @contextmanager
    def holding(self, *, by_force: bool = False) -> Iterator[bool]:
        """Hold the lock; what a dead holder left half done is undone first.

        Yields:
            Whether there was something to undo.

        Raises:
            ModelsError: `locked`.
        """
        journal = self.lock.take(by_force=by_force)
        if journal:
            left = Snapshot.from_dict(journal)
            self.notes.append(f"A promotion of version {left.version} had been cut off; aliases and endpoint were brought back first.")
            self.tell(self.notes[-1])
            self._restore(left)
            self.lock.write({})
        try:
            yield bool(journal)
        except NotRestoredError:
            raise
        except BaseException:
            self._release()
            raise
        self._release()

    @contextmanager
    def undoing(self, before: Snapshot) -> Iterator[None]:
        """Bring everything back to what it was when the work inside fails or is stopped.

        A holder that was silent for too long may have lost the lock by then, and what it began was undone by the next one: what stands
        now is not its own to bring back.

        Raises:
            NotRestoredError: That failed too.
            LockLostError: `locked`: the lock is another's; nothing was brought back.
        """
        self.lock.write(before.as_dict())
        try:
            yield
            # From here on there is nothing to go back to, should this process die before the lock is gone.
            self.lock.write({})
        except BaseException as error:
            try:
                self.lock.check()
                self.tell(f"{before.model}: stopped ({error or type(error).__name__}); everything goes back to what it was")
                self._restore(before)
            except LockLostError as lost:
                self.tell(f"{before.model}: stopped ({error or type(error).__name__}); {lost.cause}")
                if isinstance(error, ModelsError):
                    raise lost from error
            except BaseException as second:
                raise _not_restored(before, error, second) from error
            raise

    def _restore(self, before: Snapshot) -> None:
        with _undisturbed():
            self.notes.extend(before.restore_aliases(self.registry, self.tell))
        switch = self.switch(before.model, before.endpoint)
        if switch:
            before.restore_endpoint(switch)

    def _release(self) -> None:
        try:
            with _undisturbed():
                self.lock.release()
        except ModelsError as error:
            # What was to be done is done, or undone; a lock that is left loses its force by itself.
            self.tell(f"The lock could not be given back: {error.cause}")


def move(registry: Registry, model: ModelState, version: int, tell: Tell, *, champion: str, previous: str) -> None:
    """Let `champion` point to a version, the old one kept as `previous`, and read it back.

    Raises:
        ModelsError: `champion-changed`.
    """
    if model.champion not in (None, version):
        registry.set_alias(model.name, previous, int(model.champion or 0))
    registry.set_alias(model.name, champion, version)
    check_still(registry, model.name, version)
    tell(f"{model.name}: champion is version {version} (before: {word(model.champion)})")


def check_still(registry: Registry, name: str, version: int) -> None:
    """Check that nobody who did not take the lock has moved the champion.

    Raises:
        ModelsError: `champion-changed`.
    """
    now = registry.model(name).champion
    if now != version:
        raise ModelsError(
            "champion-changed",
            f"The alias champion of {name} was set to {word(now)} by somebody who did not take the lock, while version {version} was "
            "being promoted.",
            fix="Find out who moves the alias beside the kit (one model has one promoter), then judge and promote again.",
        )


def _not_restored(before: Snapshot, error: BaseException, second: BaseException) -> NotRestoredError:
    cause = error.cause if isinstance(error, ModelsError) else f"The promotion was stopped ({error or type(error).__name__})."
    return NotRestoredError(
        error.code if isinstance(error, ModelsError) else "endpoint-failed",
        f"{cause} Going back failed as well: {second or type(second).__name__}",
        fix=f"`bundleflow model rollback --force-lock` brings {before.model} back to {word(before.champion)}; so does whoever promotes it "
        f"next, {age(SILENCE_S)} from now.",
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal come between a few requests that belong together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
