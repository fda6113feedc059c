"""Compares what a scene expects of a stage's model with the workspace: verdict, champion, approval, endpoint, answers to callers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bundleflow_models.verdict.record import Verdict
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.models_view import Standing
from rehearsal.rehearse.result import Check
from rehearsal.scenarios import champions

NOBODY = "none"


def _judged(wanted: champions.Judged, memory: Memory) -> Check:
    codes = f" ({', '.join(wanted.codes)})" if wanted.codes else ""
    luck = ", although it is better than the champion on the hold-out" if wanted.by_luck else ""
    expected = f"the verdict on the newest version is {wanted.result}{codes}{luck}"
    models = memory.models(wanted.stage)
    newest = next(iter(models.versions()), None)
    verdict = models.verdict(newest) if newest else None
    if newest is None or verdict is None:
        return Check(expected, ok=False, found="there is no verdict" if newest else "there is no version")
    against = [each for each in verdict.intervals if each.against == "champion"]
    ok = str(verdict.result) == wanted.result and set(wanted.codes) <= set(verdict.codes)
    ok = ok and (not wanted.by_luck or any(each.difference > 0 for each in against))
    return Check(expected, ok=ok, found=f"version {newest.number}: {_told(verdict)}")


def _told(verdict: Verdict) -> str:
    ends = [
        f"{each.metric} {each.difference:+.3f} against {each.against} ({each.confidence:.0%} interval {each.low:+.3f} to {each.high:+.3f})"
        for each in verdict.intervals
    ]
    return "; ".join([" ".join([str(verdict.result), *verdict.codes]), *ends, f"{verdict.holdout_rows} rows"])


def _promoted(wanted: champions.Promoted, memory: Memory) -> Check:
    who = f"approved by {wanted.by} on {wanted.where}" if wanted.by else f"approved in the {wanted.where}"
    who = "nobody had to approve it" if wanted.where == NOBODY else who
    expected = f"{wanted.stage}: {'the first' if wanted.first else 'another'} version is champion, {who}, and serves alone"
    models, before = memory.models(wanted.stage), memory.models_before[wanted.stage]
    now = models.standing()
    if not now.champion:
        return Check(expected, ok=False, found=str(now))
    tags = models.version(now.champion).tags
    by, where = tags.get("bundleflow_approved_by", ""), tags.get("bundleflow_approved_where", "")
    approved = (by, where) == (wanted.by or NOBODY, wanted.where) and tags.get("bundleflow_approved_verdict") == tags.get(
        "bundleflow_verdict_sha256"
    )
    new = now.champion != before.champion and now.previous == before.champion and bool(before.champion) != wanted.first
    return Check(expected, ok=approved and new and _alone(now, models.endpoint), found=f"{now}; approved by {by or 'nobody'} on {where}")


def _stays(wanted: champions.ChampionStays, memory: Memory) -> Check:
    models, before = memory.models(wanted.stage), memory.models_before[wanted.stage]
    now = models.standing()
    same = (now.champion, now.previous, now.serving) == (before.champion, before.previous, before.serving)
    challenger = now.aliases.get("challenger", 0)
    promoted = "bundleflow_promoted_at" in models.version(challenger).tags if challenger else False
    expected = f"{wanted.stage}: champion and what serves are what they were"
    return Check(expected, ok=same and not promoted, found=f"{now}{', the challenger is noted as promoted' if promoted else ''}")


def _rolled_back(wanted: champions.RolledBack, memory: Memory) -> Check:
    models, before = memory.models(wanted.stage), memory.models_before[wanted.stage]
    now = models.standing()
    ok = bool(before.previous) and now.champion == before.previous and _alone(now, models.endpoint)
    return Check(f"{wanted.stage}: the previous champion is champion again, and serves alone", ok=ok, found=f"{before} then {now}")


def _answered(wanted: champions.Answered, memory: Memory) -> Check:
    expected = f"{wanted.stage}: all requests to the endpoint were answered all the while, at least {wanted.at_least}"
    callers = memory.callers
    if callers is None:
        return Check(expected, ok=False, found="nobody asked")
    by = ", ".join(f"{number} by {entity}" for entity, number in sorted(callers.by.items()))
    found = f"{callers.answered} answered ({by}), {len(callers.failed)} not{': ' + callers.failed[0] if callers.failed else ''}"
    return Check(expected, ok=callers.answered >= wanted.at_least and not callers.failed, found=found)


def _alone(now: Standing, endpoint: str) -> bool:
    return not endpoint or now.serving == {now.champion: 100}


CHECKS: dict[type, Callable[[Any, Memory], Check]] = {
    champions.Judged: _judged,
    champions.Promoted: _promoted,
    champions.ChampionStays: _stays,
    champions.RolledBack: _rolled_back,
    champions.Answered: _answered,
}

COMPARED = (champions.Promoted, champions.ChampionStays, champions.RolledBack)
"""Expectations that need to know how the model stood when the scene began."""
