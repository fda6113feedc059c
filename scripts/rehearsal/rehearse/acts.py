"""Carries out what a scene's people do: pushes, pull requests, merges, wrong settings; what comes of it is not looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rehearsal.actions import filters
from rehearsal.actions.driver import WORKFLOWS, git
from rehearsal.github.errors import GitHubError
from rehearsal.rehearse import githubview
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.project import workflow_documents
from rehearsal.rehearse.stage import DEVELOPER, commit
from rehearsal.rehearse.view import DeployedJob, own_suffix, run_result
from rehearsal.scenarios import model

CLIENT_ID = "DATABRICKS_CLIENT_ID"
_COMMAND_LIMIT_S = 120.0


class StoryError(Exception):
    """The story cannot go on: an action could not be carried out."""


class Acts:
    """The people of a story.

    Args:
        memory: The story's memory; it knows the stage.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._stage = memory.stage
        self._repository = memory.stage.project.repository
        self._clone = memory.stage.project.root

    def act(self, action: model.Action) -> list[str]:
        """Carry out an action; gives what is worth telling about it.

        Raises:
            StoryError: It could not be carried out.
            GitHubError: GitHub refused it.
        """
        if isinstance(action, model.Push):
            return self._push(action)
        if isinstance(action, model.OpenPull):
            return self._open_pull(action)
        if isinstance(action, model.OpenForkPull):
            return self._open_fork_pull(action)
        if isinstance(action, model.MergePull):
            number = self._pull_to(action.base)
            self._stage.github.merge_pull(self._repository, number, action.who)
            return [f"pull request #{number} was merged by {action.who}"]
        if isinstance(action, model.TryToMerge):
            return self._try_to_merge(action)
        if isinstance(action, model.ClosePull):
            return self._close_pull(action)
        if isinstance(action, model.MakeByHand):
            return self._make_by_hand(action)
        if isinstance(action, model.UseIdentityOf):
            return self._use_identity_of(action)
        if isinstance(action, model.Dispatch):
            return self._dispatch(action)
        if isinstance(action, model.Schedule):
            return self._schedule(action)
        if isinstance(action, model.RepairRun | model.FireSchedule | model.StartJob):
            return self._on_job(action)
        if isinstance(action, model.InTerminal):
            return self._in_terminal(action)
        return self._read_output(action)

    def undo(self, action: model.Action) -> None:
        """Put back what an action changed in GitHub's settings."""
        if isinstance(action, model.UseIdentityOf):
            environment = self._stage.project.flow.stages[action.stage].environment
            self._stage.github.set_variable(self._repository, CLIENT_ID, self._stage.client_ids[environment], environment)

    def _push(self, action: model.Push) -> list[str]:
        notes = self._commit(action.branch, action.base, action.change, action.who)
        git(["-C", str(self._clone), "push", "--quiet", "origin", action.branch])
        self._stage.github.refs_changed(self._repository, action.who)
        return notes

    def _commit(self, branch: str, base: str, change: model.Change | None, who: str) -> list[str]:
        clone = str(self._clone)
        git(["-C", clone, "fetch", "--quiet", "origin"])
        git(["-C", clone, "checkout", "--quiet", "-B", branch, f"origin/{base}"])
        notes = []
        if change:
            notes = self._edit(change)
            git(["-C", clone, "add", "--all"])
            commit(self._clone, who, change.message)
        return notes

    def _edit(self, change: model.Change) -> list[str]:
        matches = fits(self._clone, change)
        if not matches and not change.otherwise:
            raise StoryError(f"the change `{change.message}` is made for a template and does not fit this project")
        for edit in change.edits if matches else change.otherwise:
            path = self._clone / edit.path
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            path.write_text(text.replace(edit.find, edit.replace) if edit.find else text + edit.replace, encoding="utf-8")
        return [] if matches else ["the change is made for a template: a small one was made instead, which deploys nothing new"]

    def _open_pull(self, action: model.OpenPull) -> list[str]:
        notes = self._push(model.Push(action.branch, action.base, action.change))
        pull = self._stage.github.open_pull(self._repository, DEVELOPER, action.branch, action.base, action.title)
        self._memory.pull = pull.number
        return [f"pull request #{pull.number}", *notes]

    def _open_fork_pull(self, action: model.OpenForkPull) -> list[str]:
        github = self._stage.github
        fork = github.fork(self._repository, action.who)
        notes = self._commit(action.branch, action.base, action.change, action.who)
        git(["-C", str(self._clone), "push", "--quiet", str(fork.path), action.branch])
        github.refs_changed(fork.full_name, action.who)
        known = set(self._stage.driver.runs)
        pull = github.open_pull(self._repository, action.who, f"{action.who}:{action.branch}", action.base, action.title)
        self._memory.pull = pull.number
        waiting = sorted(set(self._stage.driver.runs) - known)
        for run in waiting:
            github.approve_run(run, action.allowed_by)
        allowed = f"{action.allowed_by} let its {len(waiting)} workflows run" if waiting else "its workflows waited for nobody"
        return [f"pull request #{pull.number} from {fork.full_name}; {allowed}", *notes]

    def _pull_to(self, base: str) -> int:
        found = githubview.open_pulls(self._stage.github, self._repository, base)
        if not found:
            raise StoryError(f"no pull request to {base} is open")
        return found[-1]

    def _try_to_merge(self, action: model.TryToMerge) -> list[str]:
        github = self._stage.github
        number = self._pull_to(action.base)
        self._memory.branch_before = githubview.branch_head(github, self._repository, action.base)
        try:
            github.merge_pull(self._repository, number, action.who)
        except GitHubError as error:
            self._memory.refusal = str(error)
            if not action.stays_open:
                github.close_pull(self._repository, number, DEVELOPER)
        return [f"pull request #{number} was not merged"] if self._memory.refusal else []

    def _close_pull(self, action: model.ClosePull) -> list[str]:
        number = self._pull_to(action.base)
        self._stage.driver.asleep = action.unnoticed
        try:
            self._stage.github.close_pull(self._repository, number, DEVELOPER)
        finally:
            self._stage.driver.asleep = False
        return [f"pull request #{number} was closed{'; GitHub Actions was down and started nothing' if action.unnoticed else ''}"]

    def _make_by_hand(self, action: model.MakeByHand) -> list[str]:
        jobs = self._memory.view.jobs(self._memory.target_of(action.stage), suffixed=True)
        if not jobs:
            raise StoryError(f"stage {action.stage} has no deployment of a pull request, so nothing can be made beside it")
        self._memory.made_by_hand = jobs[0].root.replace(own_suffix(jobs[0].root), f"-{action.name}")
        self._memory.view.make_folder(f"{self._memory.made_by_hand}/files")
        return [f"somebody made the folder {self._memory.made_by_hand}"]

    def _dispatch(self, action: model.Dispatch) -> list[str]:
        self._stage.github.dispatch_workflow(self._repository, action.who, action.file, action.branch, dict(action.inputs))
        told = ", ".join(f"{name}: {value}" for name, value in action.inputs)
        return [f"{action.who} started {action.file} on {action.branch} by hand{f' ({told})' if told else ''}"]

    def _schedule(self, action: model.Schedule) -> list[str]:
        document = workflow_documents(self._clone).get(f"{WORKFLOWS}/{action.file}", {})
        crons = [str(entry["cron"]) for entry in filters.triggers(document).get("schedule", {}).get("list", [])] if document else []
        if not crons:
            raise StoryError(f"{action.file} has no schedule in this project")
        self._stage.github.schedule(self._repository, crons[0])
        return [f"the schedule of {action.file} struck (`{crons[0]}`)"]

    def _use_identity_of(self, action: model.UseIdentityOf) -> list[str]:
        environment = self._stage.project.flow.stages[action.stage].environment
        self._stage.github.set_variable(self._repository, CLIENT_ID, self._stage.client_ids[action.other], environment)
        return [f"variable {CLIENT_ID} of environment {environment} named the identity of {action.other}", *self._push(action.push)]

    def _in_terminal(self, action: model.InTerminal) -> list[str]:
        login = {"DATABRICKS_HOST": self._stage.workspace_url, "DATABRICKS_TOKEN": self._stage.operator_token}
        argv = [each.replace("{model}", self._memory.models(action.stage).key) for each in action.argv]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "bundleflow", *argv],
            cwd=self._clone,
            env={**self._stage.environment, **login},
            capture_output=True,
            text=True,
            timeout=_COMMAND_LIMIT_S,
            check=False,
        )
        typed = f"`bundleflow {' '.join(argv)}`"
        if done.returncode:
            raise StoryError(f"{typed} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        return [typed, *done.stderr.strip().splitlines()[-1:]]

    def _on_job(self, action: model.RepairRun | model.FireSchedule | model.StartJob) -> list[str]:
        view = self._memory.view
        job = self._job(action.stage, action.job)
        if isinstance(action, model.StartJob):
            number = view.start(job.job_id, dict(action.parameters))
            result = run_result(view.wait(number))
            if result != "SUCCESS":
                raise StoryError(f"run {number} of {job.name} ended with {result}")
            view.wait_for_all()
            told = ", ".join(f"{name}: {value}" for name, value in action.parameters)
            return [f"{job.name} was started by hand{f' ({told})' if told else ''}: run {number}"]
        if isinstance(action, model.FireSchedule):
            number, following = view.fire(job.job_id)
            view.wait(number)
            return [f"the schedule of {job.name} fired: run {number}; it fires next at {following}"]
        runs = [run for run in view.runs() if int(run["job_id"]) == job.job_id]
        if not runs:
            raise StoryError(f"job {action.job} of stage {action.stage} has not run, so there is nothing to repair")
        number = int(runs[0]["run_id"])
        view.repair(number)
        view.wait(number)
        return [f"the failed tasks of run {number} of {job.name} were run again"]

    def _job(self, stage: str, key: str) -> DeployedJob:
        job = next((job for job in self._memory.view.jobs(self._memory.target_of(stage)) if job.key == key), None)
        if job is None:
            raise StoryError(f"job {key} is not deployed in stage {stage}")
        return job

    def _read_output(self, action: model.ReadOutput) -> list[str]:
        view = self._memory.view
        job = self._job(action.stage, action.job)
        runs = [run for run in view.runs() if int(run["job_id"]) == job.job_id]
        run = view.wait(int(runs[0]["run_id"]) if runs else view.start(job.job_id))
        outputs = [view.output(int(task["run_id"])).get("notebook_output", {}).get("result", "") for task in run["tasks"]]
        text = next((output for output in reversed(outputs) if output), "")
        try:
            self._memory.output = dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise StoryError(f"job {action.job} left no JSON: {text[:200]!r}") from error
        return [f"{job.name}: {text[:300]}"]


def fits(clone: Path, change: model.Change) -> bool:
    """Say whether all edits of a change find their place in a project."""
    return all(_finds(clone, edit) for edit in change.edits)


def _finds(clone: Path, edit: model.Edit) -> bool:
    path = clone / edit.path
    if not edit.find:
        return True
    return path.is_file() and path.read_text(encoding="utf-8").count(edit.find) == 1
