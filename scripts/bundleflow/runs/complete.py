"""Completes a run's record for its report: iterations, clusters, deployment, the run before, lineage. What cannot be had becomes a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bundleflow.adapters.workspace import Workspace
from bundleflow.adapters.workspace_runs import RunsWorkspace
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.run import Compute, RunRecord, TaskRecord
from bundleflow.runs.compare import compare
from bundleflow.runs.lineage import read_lineage
from bundleflow.runs.view import RunView

CLUSTERS_AT_MOST = 20
FOR_EACH_AT_MOST = 20
OUTPUTS_AT_MOST = 30
"""Of how many clusters, for-each tasks and tasks the details, iterations and outputs are read, one call or more each."""

TROUBLE = "The workspace had troubles: a part of this report is missing."

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What a report is to have besides the run itself.

    Args:
        details: Iterations, clusters, deployment.
        before: The previous run of the job.
        lineage: Tables that were read and written.
        warehouse: SQL warehouse that is asked for them; empty for one that is running.
    """

    details: bool = True
    before: bool = True
    lineage: bool = False
    warehouse: str = ""


def complete(workspace: RunsWorkspace, run: RunRecord, wanted: Wanted) -> RunRecord:
    """The run with what a report shows besides it; a report is never refused because a part of it cannot be read.

    Args:
        workspace: Where it ran.
        run: The run, all pages of it (see `whole`).
        wanted: What to read.
    """
    notes = list(run.notes)
    if wanted.details:
        run = _with_repairs(workspace, run, notes)
        run = _with_turns(workspace, run, notes)
        run = _with_clusters(workspace, run, notes)
        run = _with_deployment(workspace, run, notes)
    if wanted.before and run.job_id and run.start_ms and run.comparison is None:
        run = _with_comparison(workspace, run, notes)
    if wanted.lineage and TROUBLE not in notes:
        run = replace(run, lineage=read_lineage(workspace, run, wanted.warehouse))
    return replace(run, notes=tuple(dict.fromkeys(notes)))


def whole(workspace: Workspace, run_id: int, key: str = "") -> RunRecord:
    """A run with all its pages, repairs and attempts, as it is now.

    Raises:
        BundleflowError: It cannot be read.
    """
    view = RunView(run_id, key)
    while not view.whole:
        view.take(workspace.run_page(run_id, view.next_page(), history=True))
    return view.run


def with_outputs(workspace: Workspace, run: RunRecord) -> RunRecord:
    """The run with errors and outputs of its tasks, one call each: of those that failed first, then of the last ones.

    Raises:
        BundleflowError: The workspace has troubles.
    """
    ended = [task for task in run.tasks if task.final and task.run_id and task.start_ms and not (task.output or task.trace)]
    ended.sort(key=lambda task: (not task.failed, -task.end_ms))
    found = {task.key: workspace.task_output(task) for task in ended[:OUTPUTS_AT_MOST]}
    return replace(run, tasks=tuple(found.get(task.key, task) for task in run.tasks))


def _with_repairs(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """The run's repairs, where its tasks show that something was tried again; following a run does not ask for them."""
    if run.repairs or not any(task.attempt for task in run.tasks):
        return run
    page = _or_note(partial(workspace.run_page, run.run_id, history=True), notes)
    return run if page is None else replace(run, repairs=page.run.repairs)


def _with_turns(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """The iterations of for-each tasks one by one."""
    wanted = [task for task in run.tasks if task.kind == "for_each" and task.run_id and task.start_ms and not task.iterations.turns]
    if len(wanted) > FOR_EACH_AT_MOST:
        notes.append(f"The iterations of {len(wanted) - FOR_EACH_AT_MOST} for-each tasks were not read.")
    found: dict[str, TaskRecord] = {}
    for task in wanted[:FOR_EACH_AT_MOST]:
        turns = _or_note(partial(workspace.turns, task.run_id), notes)
        if turns:
            found[task.key] = replace(task, iterations=replace(task.iterations, total=task.iterations.total or len(turns), turns=turns))
    return replace(run, tasks=tuple(found.get(task.key, task) for task in run.tasks)) if found else run


def _with_clusters(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """Node type, size and runtime of the clusters that the run's own answer only names."""
    unknown = {task.compute: None for task in run.tasks if task.compute.cluster_id and not task.compute.node_type}
    found: dict[Compute, Compute] = {}
    for compute in list(unknown)[:CLUSTERS_AT_MOST]:
        known = _or_note(partial(workspace.cluster, compute), notes)
        if known is not None:
            found[compute] = known
    if not found:
        return run
    return replace(run, tasks=tuple(replace(task, compute=found.get(task.compute, task.compute)) for task in run.tasks))


def _with_deployment(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """The bundle deployment of the run's job, and the identity that the job runs as."""
    if not run.job_id:
        return run
    facts = _or_note(lambda: workspace.job_facts(run.job_id), notes)
    if facts is None:
        return run
    run = replace(run, run_as=facts.run_as or run.run_as)
    if not facts.metadata_path or run.deployment is not None:
        return run
    return replace(run, deployment=_or_note(lambda: workspace.deployment(facts.metadata_path, run.start_ms), notes))


def _with_comparison(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    def read() -> RunRecord | None:
        number = workspace.run_before(run.job_id, run.run_id, run.start_ms)
        return whole(workspace, number) if number else None

    before = _or_note(read, notes)
    return run if before is None else replace(run, comparison=compare(run, before))


def _or_note(ask: Callable[[], T], notes: list[str]) -> T | None:
    """An answer; None when there is none to be had, which is noted. A workspace that has troubles is not asked for more."""
    if TROUBLE in notes:
        return None
    try:
        return ask()
    except BundleflowError as error:
        notes.append(TROUBLE if error.reason is FailureReason.OUTSIDE_TROUBLE else error.cause)
    except (ValueError, KeyError, TypeError) as error:
        notes.append(f"The metadata of the deployment is not what it should be: {error}")
    return None
