"""Completes a run's record for its report: iterations, clusters, deployment, the run before, lineage. What cannot be had becomes a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bundleflow.adapters.workspace import Workspace
from bundleflow.adapters.workspace_answers import STATEMENT_LIMIT_S
from bundleflow.adapters.workspace_runs import RunsWorkspace
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import Compute, RunRecord, TaskRecord
from bundleflow.runs.compare import compare
from bundleflow.runs.lineage import read_lineage
from bundleflow.runs.outputs import TROUBLE, note_of
from bundleflow.runs.view import RunView

CLUSTERS_AT_MOST = 20
FOR_EACH_AT_MOST = 20
"""Of how many clusters and for-each tasks the details and iterations are read, one call or more each."""

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What a report is to have besides the run itself.

    Args:
        details: Iterations, clusters, deployment.
        before: The previous run of the job.
        lineage: Tables that were read and written.
        warehouse: SQL warehouse that is asked for them; empty for one that is running.
        lineage_limit_s: How long it may take to answer, in seconds.
    """

    details: bool = True
    before: bool = True
    lineage: bool = False
    warehouse: str = ""
    lineage_limit_s: float = STATEMENT_LIMIT_S


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
        run = replace(run, lineage=read_lineage(workspace, run, wanted.warehouse, wanted.lineage_limit_s))
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


def _with_repairs(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """The run's repairs, where its tasks show that something was tried again; following a run does not ask for them."""
    if run.repairs or not any(task.attempt for task in run.tasks):
        return run
    page = _or_note("repairs", partial(workspace.run_page, run.run_id, history=True), notes)
    return run if page is None else replace(run, repairs=page.run.repairs)


def _with_turns(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """The iterations of for-each tasks one by one."""
    wanted = [task for task in run.tasks if task.kind == "for_each" and task.run_id and task.start_ms and not task.iterations.turns]
    if len(wanted) > FOR_EACH_AT_MOST:
        notes.append(f"The iterations of {len(wanted) - FOR_EACH_AT_MOST} for-each tasks were not read.")
    found: dict[str, TaskRecord] = {}
    for task in wanted[:FOR_EACH_AT_MOST]:
        turns = _or_note(f"iterations of task `{task.key}`", partial(workspace.turns, task.run_id), notes)
        if turns:
            found[task.key] = replace(task, iterations=replace(task.iterations, total=task.iterations.total or len(turns), turns=turns))
    return replace(run, tasks=tuple(found.get(task.key, task) for task in run.tasks)) if found else run


def _with_clusters(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """Node type, size and runtime of the clusters that the run's own answer only names."""
    unknown = {task.compute: None for task in run.tasks if task.compute.cluster_id and not task.compute.node_type}
    found: dict[Compute, Compute] = {}
    if len(unknown) > CLUSTERS_AT_MOST:
        notes.append(f"The details of {len(unknown) - CLUSTERS_AT_MOST} clusters were not read.")
    for compute in list(unknown)[:CLUSTERS_AT_MOST]:
        known = _or_note(f"details of cluster `{compute.cluster_id}`", partial(workspace.cluster, compute), notes)
        if known is not None:
            found[compute] = known
    if not found:
        return run
    return replace(run, tasks=tuple(replace(task, compute=found.get(task.compute, task.compute)) for task in run.tasks))


def _with_deployment(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    """The bundle deployment of the run's job, and the identity that the job runs as."""
    if not run.job_id:
        return run
    facts = _or_note(f"settings of job {run.job_id}", lambda: workspace.job_facts(run.job_id), notes)
    if facts is None:
        return run
    run = replace(run, run_as=facts.run_as or run.run_as)
    if not facts.metadata_path or run.deployment is not None:
        return run
    made = _or_note("metadata of the deployment", lambda: workspace.deployment(facts.metadata_path, run.start_ms), notes)
    return replace(run, deployment=made)


def _with_comparison(workspace: RunsWorkspace, run: RunRecord, notes: list[str]) -> RunRecord:
    def read() -> RunRecord | None:
        number = workspace.run_before(run.job_id, run.run_id, run.start_ms)
        return whole(workspace, number) if number else None

    before = _or_note("previous run", read, notes)
    return run if before is None else replace(run, comparison=compare(run, before))


def _or_note(what: str, ask: Callable[[], T], notes: list[str]) -> T | None:
    """An answer; None when there is none to be had, which is noted. A workspace that has troubles is not asked for more.

    Args:
        what: What is read, for the note: `previous run`.
        ask: Reads it.
        notes: Takes the note.
    """
    if TROUBLE in notes:
        return None
    try:
        return ask()
    except BundleflowError as error:
        notes.append(note_of(error))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:  # an answer of another shape than documented
        notes.append(f"Could not read the {what}: the answer is not what it should be ({type(error).__name__}: {error}).")
    return None
