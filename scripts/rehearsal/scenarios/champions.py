"""What a scene can expect of a stage's model: its verdict, who is champion, by whose approval, what serves, and what callers got."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Judged:
    """The newest version of the stage's model has this verdict.

    Args:
        stage: The stage.
        result: `passed` or `refused`.
        codes: Why it is not passed, among others.
        by_luck: The version is better than the champion by the primary metric, and yet the interval does not lie above 0.
    """

    stage: str
    result: str
    codes: tuple[str, ...] = ()
    by_luck: bool = False


@dataclass(frozen=True)
class Promoted:
    """A version that was not champion when the scene began is champion and serves alone; the one before is `previous-champion`.

    Args:
        stage: The stage.
        by: Login of the person whose approval stands on the version; empty: the workspace's own button names nobody.
        where: Where it was given: `github`, `workspace`, or `none` where nobody is asked.
        first: There was no champion before, and no endpoint.
    """

    stage: str
    by: str = ""
    where: str = "github"
    first: bool = False


@dataclass(frozen=True)
class ChampionStays:
    """Champion, previous champion and what serves are what they were when the scene began; the challenger has no approval."""

    stage: str


@dataclass(frozen=True)
class RolledBack:
    """The version that was `previous-champion` when the scene began is champion, and serves alone."""

    stage: str


@dataclass(frozen=True)
class Answered:
    """The requests that were sent to the endpoint all the while (`Scene.asking`) were all answered, none with an error.

    Args:
        stage: The stage.
        at_least: How many there were at least.
    """

    stage: str
    at_least: int = 5


OfChampion = Judged | Promoted | ChampionStays | RolledBack | Answered
