"""Renders the steps of jobs and composite actions: names that act leaves empty or gives to every job alike are replaced."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.actions import expressions, yamltext
from rehearsal.actions.model import Document
from rehearsal.actions.sources import Source, Sources

TOKEN = "REHEARSAL_GITHUB_TOKEN"  # noqa: S105  # a variable's name
VARIABLE = "REHEARSAL_VAR_"
SECRET = "REHEARSAL_SECRET_"  # noqa: S105
BEGUN = "REHEARSAL_BEGUN"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STATUS = re.compile(r"\b(?:always|failure|cancelled)\s*\(")
_PER_JOB = "act gives one value to all jobs; the copy reads the job's own, which the first step set"


class StepRenderer:
    """Renders the steps of one job or composite action.

    Args:
        sources: Where actions come from.
        source: The repository of the file.
        values: Context name → value, for contexts that act leaves empty.
        where: The place, for an error.
    """

    def __init__(self, sources: Sources, source: Source, values: Mapping[str, str], where: str) -> None:
        self._sources = sources
        self._source = source
        self._values = values
        self._where = where
        self.changes: list[tuple[str, str, str]] = []
        self._place = ""

    def _note(self, change: str, reason: str) -> None:
        item = (self._place, change, reason)
        if item not in self.changes:
            self.changes.append(item)

    def rename(self, name: str) -> str | None:
        """Give what stands in the copy for a context name."""
        if name in {"github.token", "secrets.GITHUB_TOKEN"}:
            self._note(f"`{name}` reads the job's own token", _PER_JOB)
            return f"env.{TOKEN}"
        context, _, rest = name.partition(".")
        if context == "vars" and _NAME.fullmatch(rest):
            self._note(f"`{name}` reads the job's environment", _PER_JOB)
            return f"env.{VARIABLE}{rest.upper()}"
        if context == "secrets" and _NAME.fullmatch(rest):
            self._note(f"`{name}` reads the job's environment first", _PER_JOB)
            return f"(env.{SECRET}{rest.upper()} || {name})"
        if name in self._values:
            self._note(f"`{name}` is written out", "act leaves it empty")
            return expressions.literal(self._values[name])
        return None

    def take_job_environment(self, job: Document) -> dict[str, Any]:
        """Take out of a job's `env:` what depends on the job's own values; each step gets it instead."""
        moved = {}
        for key, value in list((job.get("env") or {}).items()):
            names = expressions.names_in(value)
            if any(name.split(".")[0] in {"vars", "secrets"} or name == "github.token" for name in names):
                moved[key] = job["env"].pop(key)
        return moved

    def render(self, step: Document, number: int, moved: Mapping[str, Any]) -> Document:
        """Render one step.

        Args:
            step: The step.
            number: Its place, from 0.
            moved: What was taken out of the job's `env:`.
        """
        self._place = f"steps[{number}]"
        rendered = copy.deepcopy(step)
        if moved:
            rendered["env"] = {**moved, **(rendered.get("env") or {})}
            self._note("has values of the job's `env:`", _PER_JOB)
        for key in ("name", "env", "with", "run", "working-directory"):
            if key in rendered:
                rendered[key] = expressions.rewrite_value(rendered[key], self.rename)
        if "if" in rendered:
            condition = expressions.rewrite_condition(str(rendered["if"]), self.rename)
            if _STATUS.search(condition):
                # On GitHub a job that was not let in never starts: nothing of it runs, not even `always()`.
                condition = f"env.{BEGUN} == 'true' && ({expressions.condition_as_expression(condition)})"
                self._note("`if:` holds only once the job was let in", "on GitHub a job that is not let in runs no step at all")
            rendered["if"] = condition
        if "uses" in rendered:
            rendered["uses"] = self._sources.action(str(rendered["uses"]), self._source, self._where)
            if rendered["uses"] != step["uses"]:
                self._note(f"`{step['uses']}` becomes `{rendered['uses']}`", "act does not know `$/`")
        return rendered


def render_action(file: Path, source: Source, sources: Sources, values: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Render a composite action's file into the source's copy.

    Returns:
        The differences: place, change, reason.
    """
    relative = file.relative_to(source.root)
    document = yamltext.load_file(file)
    steps = StepRenderer(sources, source, values, str(relative))
    changes: list[tuple[str, str, str]] = []
    token_inputs = []
    for name, rule in (document.get("inputs") or {}).items():
        if expressions.names_in((rule or {}).get("default")) & {"github.token"}:
            rule["default"] = ""
            token_inputs.append(name)
            changes.append((f"inputs.{name}.default", "empty; the steps fall back on the job's own token", _PER_JOB))

    def rename(name: str) -> str | None:
        if name.startswith("inputs.") and name[len("inputs.") :] in token_inputs:
            return f"({name} || env.{TOKEN})"
        return None

    runs = document.get("runs") or {}
    rendered = [steps.render(step, number, {}) for number, step in enumerate(runs.get("steps") or [])]
    for step in rendered:
        for key in ("env", "with"):
            if key in step:
                step[key] = expressions.rewrite_value(step[key], rename)
    if rendered:
        document["runs"]["steps"] = rendered
    target = source.copy / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yamltext.dump(document), encoding="utf-8")
    return changes + [(f"runs.{place}", change, reason) for place, change, reason in steps.changes]
