"""Checks what pull requests' own deployments leave in the workspace, and that nothing else goes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.result import Check
from rehearsal.rehearse.view import own_suffix
from rehearsal.scenarios import model


def _left(wanted: model.OwnDeploymentLeft, memory: Memory) -> Check:
    jobs = memory.view.jobs(memory.target_of(wanted.stage), suffixed=True)
    memory.own_roots = sorted({job.root for job in jobs})
    found = ", ".join(memory.own_roots) or "nothing"
    return Check(f"one deployment of a pull request is left in stage {wanted.stage}", ok=len(memory.own_roots) == 1, found=found)


def _reaped(wanted: model.OwnDeploymentReaped, memory: Memory) -> Check:
    view, target = memory.view, memory.target_of(wanted.stage)
    left = [job.name for job in view.jobs(target, suffixed=True)] + [root for root in memory.own_roots if view.exists(root)]
    suffixes = [own_suffix(root) for root in memory.own_roots]
    schemas = [name for catalog in memory.stage.project.catalogs_of(target) for name in view.schemas(catalog)]
    left += [name for name in schemas if any(name.endswith((suffix, suffix.replace("-", "_"))) for suffix in suffixes)]
    expected = f"what was left in stage {wanted.stage} is gone: jobs, folder, schema"
    return Check(expected, ok=bool(suffixes) and not left, found=", ".join(left) or f"nothing is left of {', '.join(memory.own_roots)}")


def _left_alone(_: model.MadeByHandLeftAlone, memory: Memory) -> Check:
    there = bool(memory.made_by_hand) and memory.view.exists(memory.made_by_hand)
    return Check("what somebody made by hand beside it is still there", ok=there, found=memory.made_by_hand or "nothing was made")


CHECKS: dict[type, Callable[[Any, Memory], Check]] = {
    model.OwnDeploymentLeft: _left,
    model.OwnDeploymentReaped: _reaped,
    model.MadeByHandLeftAlone: _left_alone,
}
