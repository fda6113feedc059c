"""Plays a story: carries out each scene's action, lets the workflows run, answers gates, and checks what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from rehearsal.github.errors import GitHubError
from rehearsal.rehearse import expectations, stops
from rehearsal.rehearse.accidents import LostRunners
from rehearsal.rehearse.acts import Acts, StoryError
from rehearsal.rehearse.callers import Callers
from rehearsal.rehearse.champions import COMPARED
from rehearsal.rehearse.gates import Reviewers
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.result import Check, Scenario, Step
from rehearsal.rehearse.stage import Stage
from rehearsal.rehearse.view import WorkspaceView
from rehearsal.scenarios import model
from rehearsal.scenarios.outcomes import Mailed

SCENE_LIMIT_S = 600.0
_MEANWHILE_LIMIT_S = 120.0
"""For what goes on beside a scene's workflows: answers to gates, the last job run of a lost runner."""


class Player:
    """Plays stories on a stage.

    Args:
        stage: The stage.
        tell: Gets one line for each thing that happens.
    """

    def __init__(self, stage: Stage, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._tell = tell
        self.memory = Memory(stage, WorkspaceView(stage.workspace_url, stage.operator_token))
        self._acts = Acts(self.memory)
        self._reviewers = Reviewers(self.memory, tell)
        self._lost_runners = LostRunners(self.memory, tell)
        self._pull_of: dict[str, int] = {}
        self.first_promotion_s = 0.0
        """Seconds from the rehearsal's start to the end of the first promotion; 0 where there was none."""

        self.promotion: list[Step] = []
        """The steps of that promotion, from the pull request to production."""

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
        wanted = [scene for scene in story.scenes if self._fits(scene)]
        for scenes in _together(wanted):
            try:
                steps = self._play_together(scenes)
            except httpx.HTTPError as error:
                raise self._lost_workspace(error) from error
            scenario.steps += steps
            for step in steps:
                shown(step)
            if any(scene.promotion_ends for scene in scenes) and not self.first_promotion_s:
                self.first_promotion_s = time.monotonic() - self._stage.started
                self.promotion = [step for step, scene in zip(scenario.steps, wanted, strict=False) if scene.promotion]
            if not all(step.ok for step in steps):
                scenario.ok = False
                break
        scenario.duration_s = time.monotonic() - begun
        return scenario

    def _fits(self, scene: model.Scene) -> bool:
        project = self._stage.project
        has_stages = set(scene.needs_stages) <= set(project.flow.stages) and scene.without_stage not in project.flow.stages
        has_job = not scene.needs_job or scene.needs_job in project.bundle.jobs
        has_branch = not scene.production_from or scene.production_from in self._stage.production_branches
        return has_stages and has_job and has_branch and (not scene.needs_file or project.has_workflow(scene.needs_file))

    def _play_together(self, scenes: list[model.Scene]) -> list[Step]:
        """Play scenes that go on at the same time: all actions, then the workflows' end, then all checks."""
        memory = self.memory
        memory.gates, memory.refusal, memory.output = [], "", {}
        if any(isinstance(each, model.Untouched) for scene in scenes for each in scene.expectations):
            memory.jobs_before = memory.settings_by_stage()
        if any(isinstance(each, Mailed) for scene in scenes for each in scene.expectations):
            memory.mails_before = len(memory.view.mails())
        self._look_at_models(scenes)
        memory.waiting_before = self._reviewers.still_left()
        memory.job_runs_before = {int(run["run_id"]) for run in memory.view.runs()}
        over = threading.Event()
        gates = [scene.gate for scene in scenes if scene.gate]
        lost = [scene.lost for scene in scenes if scene.lost]
        cancelled = [scene.cancelled for scene in scenes if scene.cancelled]
        meanwhile = [
            threading.Thread(target=self._reviewers.answer, args=(gates, over), daemon=True),
            threading.Thread(target=self._lost_runners.lose, args=(lost, over), daemon=True),
            threading.Thread(target=self._lost_runners.cancel, args=(cancelled, over), daemon=True),
        ]
        if memory.callers:
            meanwhile.append(threading.Thread(target=memory.callers.ask, args=(over,), daemon=True))
        for thread in meanwhile:
            thread.start()
        for scene in scenes:
            if scene.fault:
                memory.view.break_requests(scene.fault.path, scene.fault.status, scene.fault.message)
        try:
            steps = [self._begin(scene) for scene in scenes]
            finished = self._stage.driver.wait_idle(SCENE_LIMIT_S, self._reviewers.still_left)
        finally:
            over.set()
            for thread in meanwhile:
                thread.join(_MEANWHILE_LIMIT_S)
            if any(scene.fault for scene in scenes):
                memory.view.mend_requests()
            for scene in scenes:
                self._acts.undo(scene.action)
        for scene, step in zip(scenes, steps, strict=True):
            if not finished:
                step.checks.append(Check(scene.expected, ok=False, found=f"workflows were still running after {SCENE_LIMIT_S:g} s"))
            self._end(scene, step)
        return steps

    def _look_at_models(self, scenes: list[model.Scene]) -> None:
        """Note how the models stand that the scenes compare, and find out what their endpoints can be asked."""
        memory, stage = self.memory, self._stage
        compared = [each for scene in scenes for each in scene.expectations if isinstance(each, COMPARED)]
        wanted = {each.stage for each in compared if expectations.applies(each, stage.project)}
        memory.models_before = {name: memory.models(name).standing() for name in wanted}
        memory.callers = None
        for name in filter(None, (scene.asking for scene in scenes)):
            models = memory.models(name)
            memory.callers = Callers(stage.workspace_url, stage.operator_token, models.endpoint, models.request())

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
            step.notes += self._acts.act(scene.action)
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
        if step.ok and scene.stopped:
            step.stopped_where, step.stopped_why = stops.where_and_why(self.memory)
        ended = max((run.ended or time.monotonic() for run in self.memory.runs), default=time.monotonic())
        step.duration_s = ended - self._stage.started - step.started

    def _check(self, expectation: model.Expectation) -> Check:
        try:
            check = expectations.check(expectation, self.memory)
        except httpx.HTTPError as error:
            return Check(type(expectation).__name__, ok=False, found=f"the workspace could not be asked: {error}")
        check.found = self._stage.masker.text(check.found)
        check.imitated = stops.IMITATED.get(type(expectation), "")
        return check


def _together(scenes: list[model.Scene]) -> list[list[model.Scene]]:
    """Group scenes: one that goes on `meanwhile` belongs to the one before it."""
    groups: list[list[model.Scene]] = []
    for scene in scenes:
        if scene.meanwhile and groups:
            groups[-1].append(scene)
        else:
            groups.append([scene])
    return groups


def _outcome(step: Step, scene: model.Scene) -> str:
    if step.ok:
        return "stopped as expected" if scene.stopped else "done"
    failed = next(check for check in step.checks if not check.ok)
    return f"{failed.expected}: {failed.found}"
