"""Plays a story: carries out each scene's action, lets the workflows run, answers gates, and checks what came of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from rehearsal.actions.driver import git
from rehearsal.github.errors import GitHubError
from rehearsal.rehearse import expectations, githubview
from rehearsal.rehearse.memory import GateSeen, Memory
from rehearsal.rehearse.result import Check, Scenario, Step
from rehearsal.rehearse.stage import DEVELOPER, Stage, commit
from rehearsal.rehearse.view import WorkspaceView
from rehearsal.scenarios import model

SCENE_LIMIT_S = 600.0
_UNEXPECTED = model.Gate("", answer="rejected", who="reviewer", comment="not expected")


class StoryError(Exception):
    """The story cannot go on: an action could not be carried out."""


class Player:
    """Plays stories on a stage.

    Args:
        stage: The stage.
        tell: Gets one line for each thing that happens.
    """

    def __init__(self, stage: Stage, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._tell = tell
        self._repository = stage.project.repository
        self._clone = stage.project.root
        self.memory = Memory(stage, WorkspaceView(stage.workspace_url, stage.operator_token))
        self._pull_of: dict[str, int] = {}
        self.first_promotion_s = 0.0
        """Seconds from the rehearsal's start to the end of the first promotion; 0 where there was none."""

    def play(self, story: model.Story, shown: Callable[[Step], None]) -> Scenario:
        """Play a story to its end, or to the first scene that goes wrong.

        Args:
            story: The story.
            shown: Gets each scene's outcome as soon as it is known.

        Raises:
            BundleflowError: The imitated workspace is lost.
        """
        begun = time.monotonic()
        scenario = Scenario(story.name, story.title, ok=True, started=begun - self._stage.started)
        for scenes in _together([scene for scene in story.scenes if self._fits(scene)]):
            try:
                steps = self._play_together(scenes)
            except httpx.HTTPError as error:
                raise self._lost_workspace(error) from error
            scenario.steps += steps
            for step in steps:
                shown(step)
            if any(scene.promotion_ends for scene in scenes) and not self.first_promotion_s:
                self.first_promotion_s = time.monotonic() - self._stage.started
            if not all(step.ok for step in steps):
                scenario.ok = False
                break
        scenario.duration_s = time.monotonic() - begun
        return scenario

    def _fits(self, scene: model.Scene) -> bool:
        project = self._stage.project
        return set(scene.needs_stages) <= set(project.flow.stages) and (not scene.needs_job or scene.needs_job in project.bundle.jobs)

    def _play_together(self, scenes: list[model.Scene]) -> list[Step]:
        """Play scenes that go on at the same time: all actions, then the workflows' end, then all checks."""
        memory = self.memory
        memory.gates, memory.refusal, memory.output = [], "", {}
        memory.job_runs_before = {int(run["run_id"]) for run in memory.view.runs()}
        over = threading.Event()
        gatekeeper = threading.Thread(target=self._answer_gates, args=([scene.gate for scene in scenes if scene.gate], over), daemon=True)
        gatekeeper.start()
        try:
            steps = [self._begin(scene) for scene in scenes]
            finished = self._stage.driver.wait_idle(SCENE_LIMIT_S)
        finally:
            over.set()
            gatekeeper.join(10)
        for scene, step in zip(scenes, steps, strict=True):
            if not finished:
                step.checks.append(Check(scene.expected, ok=False, found=f"workflows were still running after {SCENE_LIMIT_S:g} s"))
            self._end(scene, step)
        return steps

    def _lost_workspace(self, error: httpx.HTTPError) -> BundleflowError:
        return BundleflowError(
            f"The imitated workspace does not answer any more: {error}",
            fix="See what it said last below; `--keep DIR` keeps its data and logs.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
            details=self._stage.workspace.trouble(),
        )

    def _begin(self, scene: model.Scene) -> Step:
        """Carry out a scene's action; the workflows that it starts are known when it returns."""
        begun = time.monotonic()
        step = Step(scene.title, scene.expected, "", ok=False, stopped=scene.stopped, started=begun - self._stage.started)
        known = set(self._stage.driver.runs)
        try:
            step.notes += self._act(scene.action)
        except (StoryError, GitHubError, httpx.HTTPError, OSError, TimeoutError) as error:
            step.checks.append(Check(scene.expected, ok=False, found=str(error)))
        step.workflow_runs = sorted(set(self._stage.driver.runs) - known)
        self._pull_of[scene.title] = self.memory.pull
        return step

    def _end(self, scene: model.Scene, step: Step) -> None:
        """Check what came of a scene."""
        self.memory.pull = self._pull_of[scene.title]
        self.memory.runs = [self._stage.driver.runs[number] for number in step.workflow_runs]
        if not step.checks:
            wanted = [each for each in scene.expectations if expectations.applies(each, self._stage.project)]
            step.checks = [self._check(expectation) for expectation in wanted]
        step.ok = all(check.ok for check in step.checks)
        step.outcome = _outcome(step, scene)
        ended = max((run.ended for run in self.memory.runs), default=time.monotonic())
        step.duration_s = ended - self._stage.started - step.started

    def _check(self, expectation: model.Expectation) -> Check:
        try:
            check = expectations.check(expectation, self.memory)
        except httpx.HTTPError as error:
            return Check(type(expectation).__name__, ok=False, found=f"the workspace could not be asked: {error}")
        check.found = self._stage.masker.text(check.found)
        return check

    def _answer_gates(self, gates: list[model.Gate], over: threading.Event) -> None:
        """Answer gates as they open; one that no scene speaks of is rejected, so that nothing waits for ever."""
        github, memory = self._stage.github, self.memory
        flow = self._stage.project.flow
        expected = {flow.stages[gate.environment_of].environment: gate for gate in gates}
        while not over.wait(0.05):
            for open_gate in github.pending_gates(self._repository):
                gate = expected.get(open_gate.environment, _UNEXPECTED)
                stage = next((stage for stage in flow.stages.values() if stage.environment == open_gate.environment), None)
                before = len(memory.view.jobs(stage.target)) if stage else 0
                memory.gates.append(GateSeen(open_gate.environment, before, gate.answer, gate.who))
                self._tell(f"{gate.who} answers `{open_gate.environment}`: {gate.answer}")
                github.review_gate(open_gate.run_id, open_gate.environment, gate.who, gate.answer, gate.comment)

    # Actions --------------------------------------------------------------------------------------------------------

    def _act(self, action: model.Action) -> list[str]:
        if isinstance(action, model.Push):
            return self._push(action.branch, action.base, action.change)
        if isinstance(action, model.OpenPull):
            return self._open_pull(action)
        if isinstance(action, model.MergePull):
            number = self._pull_to(action.base)
            self._stage.github.merge_pull(self._repository, number, action.who)
            return [f"pull request #{number} was merged by {action.who}"]
        if isinstance(action, model.TryToMerge):
            return self._try_to_merge(action)
        return self._read_output(action)

    def _push(self, branch: str, base: str, change: model.Change | None) -> list[str]:
        clone = str(self._clone)
        git(["-C", clone, "fetch", "--quiet", "origin"])
        git(["-C", clone, "checkout", "--quiet", "-B", branch, f"origin/{base}"])
        notes = []
        if change:
            notes = self._edit(change)
            git(["-C", clone, "add", "--all"])
            commit(self._clone, DEVELOPER, change.message)
        git(["-C", clone, "push", "--quiet", "origin", branch])
        self._stage.github.refs_changed(self._repository, DEVELOPER)
        return notes

    def _edit(self, change: model.Change) -> list[str]:
        fits = all(_fits(self._clone, edit) for edit in change.edits)
        for edit in change.edits if fits else change.otherwise:
            path = self._clone / edit.path
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            path.write_text(text.replace(edit.find, edit.replace) if edit.find else text + edit.replace, encoding="utf-8")
        return [] if fits else ["this is not the Iris project: a small change was made instead, which deploys nothing new"]

    def _open_pull(self, action: model.OpenPull) -> list[str]:
        notes = self._push(action.branch, action.base, action.change)
        pull = self._stage.github.open_pull(self._repository, DEVELOPER, action.branch, action.base, action.title)
        self.memory.pull = pull.number
        return [f"pull request #{pull.number}", *notes]

    def _pull_to(self, base: str) -> int:
        found = githubview.open_pulls(self._stage.github, self._repository, base)
        if not found:
            raise StoryError(f"no pull request to {base} is open")
        return found[-1]

    def _try_to_merge(self, action: model.TryToMerge) -> list[str]:
        github = self._stage.github
        number = self._pull_to(action.base)
        self.memory.branch_before = githubview.branch_head(github, self._repository, action.base)
        try:
            github.merge_pull(self._repository, number, action.who)
        except GitHubError as error:
            self.memory.refusal = str(error)
            github.close_pull(self._repository, number, DEVELOPER)
        return [f"pull request #{number} was not merged"] if self.memory.refusal else []

    def _read_output(self, action: model.ReadOutput) -> list[str]:
        view = self.memory.view
        job = next((job for job in view.jobs(self.memory.target_of(action.stage)) if job.key == action.job), None)
        if job is None:
            raise StoryError(f"job {action.job} is not deployed in stage {action.stage}")
        runs = [run for run in view.runs() if int(run["job_id"]) == job.job_id]
        run = view.wait(int(runs[0]["run_id"]) if runs else view.start(job.job_id))
        outputs = [view.output(int(task["run_id"])).get("notebook_output", {}).get("result", "") for task in run["tasks"]]
        text = next((output for output in reversed(outputs) if output), "")
        try:
            self.memory.output = dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise StoryError(f"job {action.job} left no JSON: {text[:200]!r}") from error
        return [f"{job.name}: {text[:300]}"]


def _together(scenes: list[model.Scene]) -> list[list[model.Scene]]:
    """Group scenes: one that goes on `meanwhile` belongs to the one before it."""
    groups: list[list[model.Scene]] = []
    for scene in scenes:
        if scene.meanwhile and groups:
            groups[-1].append(scene)
        else:
            groups.append([scene])
    return groups


def _fits(clone: Path, edit: model.Edit) -> bool:
    path = clone / edit.path
    return path.is_file() and (not edit.find or path.read_text(encoding="utf-8").count(edit.find) == 1)


def _outcome(step: Step, scene: model.Scene) -> str:
    if step.ok:
        return "stopped as expected" if scene.stopped else "done"
    failed = next(check for check in step.checks if not check.ok)
    return f"{failed.expected}: {failed.found}"
