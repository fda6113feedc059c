"""Brings a stage to where a story begins: branches put back, jobs left out where the story has nothing to do with them, stages deployed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from bundleflow.records.flow import FLOW_FILE
from rehearsal.actions.driver import WORKFLOWS, git
from rehearsal.rehearse import githubview, jar_tasks
from rehearsal.rehearse.acts import Acts, fits
from rehearsal.rehearse.player import Player
from rehearsal.rehearse.result import Scenario, Step
from rehearsal.rehearse.stage import BRANCHES, OWNER, Stage, commit
from rehearsal.scenarios import STORIES, model
from rehearsal.scenarios.stopped import SET_UP


class Director:
    """Plays stories one after the other on one stage.

    Args:
        stage: The stage.
        player: Who plays.
        stories: What will be played.
        tell: Gets one line for each thing that happens.
    """

    def __init__(self, stage: Stage, player: Player, stories: Sequence[model.Story], tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._player = player
        self._tell = tell
        self._first = git(["-C", str(stage.project.root), "rev-parse", "HEAD"]).strip()
        # Looked at now: later the clone holds what a story's people did to it.
        self._left_out = {each.name: self._unfit(each) for story in stories for each in _line_of(story)}
        self._champions: dict[str, int] = {}
        """Story → the version that was champion at its end."""
        self._begun = False
        self._is_set_up = False

    def play(self, story: model.Story, shown: Callable[[Step], None]) -> list[Scenario]:
        """Play a story; gives it, and before it the set-up where that was played.

        Args:
            story: The story.
            shown: Gets each scene's outcome as soon as it is known.
        """
        unfit = self._left_out[story.name]
        if unfit:
            self._tell(f"{story.name} is left out: {unfit}")
            return [Scenario(story.name, story.title, ok=True, left_out=unfit)]
        played = []
        if story.deployed and not self._is_set_up:
            self._put_back(SET_UP)
            played.append(self._player.play(SET_UP, shown))
            self._is_set_up = self._begun = True
            if not played[-1].ok:
                return played
        if story.models_of:
            played += self._bring_models(story, shown)
            if not all(each.ok for each in played):
                return played
        if self._begun or story.quick or story.without_java:
            self._put_back(story)
        self._begun = True
        played.append(self._player.play(story, shown))
        if story.models_of:
            self._champions[story.name] = self._player.memory.models(story.models_of).standing().champion
        return played

    def _bring_models(self, story: model.Story, shown: Callable[[Step], None]) -> list[Scenario]:
        """Bring the champion to where a story begins; gives the story that had to be played for that."""
        models = self._player.memory.models(story.models_of)
        if story.without_versions:
            self._tell(f"{models.name} has no version any more, and no endpoint: {story.name} begins with the first")
            models.forget()
        if not story.after:
            return []
        wanted = self._champions.get(story.after, 0)
        while wanted and models.standing().champion > wanted:
            action = model.InTerminal(("model", "rollback", "{model}", "--stage", story.models_of), story.models_of)
            self._tell("; ".join(Acts(self._player.memory).act(action)))
        if wanted and models.standing().champion == wanted:
            return []
        return self.play(STORIES[story.after], shown)

    def _unfit(self, story: model.Story) -> str:
        """Say why a project cannot play a story; an empty text where it can."""
        project = self._stage.project
        if story.template != model.GENERAL and project.template not in {"", story.template}:
            return f"it is told of template `{story.template}`"
        for stage in story.deployed:
            if stage not in project.flow.stages:
                return f"the flow file has no stage `{stage}`"
        if story.models_of and not project.flow.stages[story.models_of].promote:
            return f"stage `{story.models_of}` promotes no model"
        if story.after and (why := self._unfit(STORIES[story.after])):
            return why
        return next((why for scene in story.scenes if (why := self._unfit_scene(scene))), "")

    def _unfit_scene(self, scene: model.Scene) -> str:
        project, action = self._stage.project, scene.action
        change = getattr(action, "change", None) or getattr(getattr(action, "push", None), "change", None)
        if change and not change.otherwise and not fits(project.root, change):
            return f"its change (`{change.message}`) is made for a template and does not fit this project"
        if scene.gate and scene.gate.drift and scene.gate.drift not in project.bundle.jobs:
            return f"the bundle has no job `{scene.gate.drift}`"
        if isinstance(action, model.Dispatch | model.Schedule) and not (project.root / WORKFLOWS / action.file).is_file():
            return f"the project has no workflow `{action.file}`"
        if isinstance(action, model.StartJob):
            return self._unfit_job(action)
        return ""

    def _unfit_job(self, action: model.StartJob) -> str:
        bundle = self._stage.project.bundle
        if action.job not in bundle.jobs:
            return f"the bundle has no job `{action.job}`"
        missing = [name for name, _ in action.parameters if (action.job, name) not in bundle.parameters]
        return f"job `{action.job}` has no parameter {', '.join(f'`{name}`' for name in missing)}" if missing else ""

    def _put_back(self, story: model.Story) -> None:
        """Give `main` and `release` the project's first content again, as the story needs it, by a new commit on top; nothing starts."""
        stage, clone = self._stage, str(self._stage.project.root)
        repository = stage.project.repository
        stage.driver.asleep = True
        try:
            for base in BRANCHES:
                for number in githubview.open_pulls(stage.github, repository, base):
                    stage.github.close_pull(repository, number, OWNER)
            git(["-C", clone, "fetch", "--quiet", "origin"])
            git(["-C", clone, "checkout", "--quiet", "-B", "main", "origin/main"])
            git(["-C", clone, "rm", "-r", "-q", "."])
            git(["-C", clone, "checkout", "--quiet", self._first, "--", "."])
            if story.quick:
                _leave_jobs_out(stage.project.root)
            if story.without_java:
                self._leave_jar_tasks_out(story)
            git(["-C", clone, "add", "--all"])
            if git(["-C", clone, "status", "--porcelain"]):
                commit(stage.project.root, OWNER, "Where the next story begins")
            git(["-C", clone, "push", "--quiet", "--force", "origin", "main:main", "main:release"])
            if git(["-C", clone, "ls-remote", "--heads", "origin", "dev"]).strip():
                git(["-C", clone, "push", "--quiet", "origin", "--delete", "dev"])  # made anew by the story that pushes it
            stage.github.refs_changed(repository, OWNER)
        finally:
            stage.driver.asleep = False

    def _leave_jar_tasks_out(self, story: model.Story) -> None:
        """Do what is done with a project on a machine that has no Java."""
        changes = jar_tasks.leave_out(self._stage.project.root, f"scenario {story.name} is played as on a machine without Java")
        self._stage.project.changes.extend(changes)
        jar_tasks.say(changes, self._tell)


def _line_of(story: model.Story) -> list[model.Story]:
    """A story and those that have to be played before it."""
    return [story, *(_line_of(STORIES[story.after]) if story.after else ())]


def _leave_jobs_out(root: Path) -> None:
    """Let no stage run jobs, and leave models alone: both are taken out of flow file and callers, the rest says what it said."""
    flow = root / FLOW_FILE
    document = yaml.safe_load(flow.read_text(encoding="utf-8"))
    document.pop("models", None)
    for stage in document["stages"].values():
        for key in ("run", "promote", "model-environment"):
            stage.pop(key, None)
    flow.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    for caller in (root / WORKFLOWS).glob("*.y*ml"):
        text = caller.read_text(encoding="utf-8")
        # The promoting job of cd-prod; a workflow that does nothing but promote stays as it is, and is not started.
        left = re.sub(r"^ +model-environment: .*\n", "", text, flags=re.MULTILINE)
        if left != text and "/cd-prod.yml@" in text:
            caller.write_text(left, encoding="utf-8")
