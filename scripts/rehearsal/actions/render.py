"""Renders a workflow, with everything that it calls, into a copy that act accepts: YAML in, YAML out, every difference listed."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.actions import checks, expressions, permissions, yamltext
from rehearsal.actions.model import Change, Document, JobSpec, Reference, RenderedRun, RunFacts
from rehearsal.actions.render_steps import StepRenderer
from rehearsal.actions.sources import Source, Sources

DEFAULT_TIMEOUT_S = 360 * 60.0
"""GitHub's limit for a job that names none."""

RUNNER_LABEL = "ubuntu-latest"
"""The one label that act is told about; jobs keep their own labels in the imitated GitHub."""

TAKEN_OUT = {
    "environment": "act ignores it; the driver keeps the gate, the variables and the secrets",
    "concurrency": "act ignores it; the driver queues",
    "permissions": "act ignores them; the driver limits each token",
}


@dataclass(frozen=True)
class _Call:
    """Where a rendered file stands in the run: its path of calling jobs, with what holds for all its jobs."""

    path: str
    shown: str
    condition: str
    needs: tuple[str, ...]
    granted: dict[str, str] | None
    groups: tuple[dict[str, Any], ...]

    def inner(self, key: str) -> str:
        return f"{self.path}/{key}" if self.path else key


class Renderer:
    """Renders one run.

    Args:
        sources: Where called workflows and actions come from.
        facts: What is known about the run.
        folder: Folder for the run's own rendered files.
    """

    def __init__(self, sources: Sources, facts: RunFacts, folder: Path) -> None:
        self._sources = sources
        self._facts = facts
        self._folder = folder
        self._result = RenderedRun("", "", folder / "workflow.yml")

    def render(self, path: str) -> RenderedRun:
        """Render a workflow of the project.

        Args:
            path: The file's path in the project, such as `.github/workflows/cd-prod.yml`.

        Raises:
            BundleflowError: GitHub would refuse the file, or the rehearsal cannot play it; names the place.
        """
        project = self._sources.project
        document = yamltext.load_file(project.root / path)
        self._result.name = str(document.get("name") or path)
        self._result.path = path
        groups = _groups(document.get("concurrency"), "run")
        call = _Call("", "", "", (), None, groups)
        rendered = self._document(document, project, path, call)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._result.file.write_text(yamltext.dump(rendered), encoding="utf-8")
        self._result.repositories = dict(self._sources.used)
        return self._result

    def _change(self, source: Source, path: str, where: str, change: str, reason: str) -> None:
        shown = path if source is self._sources.project else f"{source.slug}: {path}"
        item = Change(shown, where, change, reason)
        if item not in self._result.changes:
            self._result.changes.append(item)

    def _document(self, document: Document, source: Source, path: str, call: _Call) -> Document:
        rendered = copy.deepcopy(document)
        rendered["name"] = self._result.name  # act shows a callee's own name as `github.workflow`; GitHub shows the caller's
        for key, reason in TAKEN_OUT.items():
            if key != "environment" and rendered.pop(key, None) is not None:
                self._change(source, path, key, "taken out", reason)
        rendered.pop("run-name", None)
        jobs: dict[str, Any] = document.get("jobs") or {}
        for key, job in jobs.items():
            where = f"{path}, job `{key}`"
            rendered["jobs"][key] = (
                self._calling_job(document, job, key, source, path, call, where)
                if "uses" in job
                else self._job(document, job, key, source, path, call, where)
            )
        return rendered

    def _calling_job(self, document: Document, job: Document, key: str, source: Source, path: str, call: _Call, where: str) -> Document:
        callee_source, callee_path = self._sources.workflow(str(job["uses"]), source, where)
        callee = yamltext.load_file(callee_source.root / callee_path)
        granted = permissions.limited(permissions.of_job(document, job), call.granted)
        checks.check_call(where, job, callee, granted)
        inner = _Call(
            path=call.inner(key),
            shown=call.shown + _static_name(job, key) + " / ",
            condition=_joined(call.condition, job.get("if")),
            needs=_needs(job, call) + call.needs,
            granted=granted,
            groups=(*call.groups, *_groups(job.get("concurrency"), call.inner(key)), *_groups(callee.get("concurrency"), call.inner(key))),
        )
        ref = f"{callee_source.slug}/{callee_path}@{callee_source.ref}"
        self._result.references.append(Reference(ref, callee_source.sha, callee_source.ref))
        rendered_callee = self._document(callee, callee_source, callee_path, inner)
        name = f"r{self._facts.run_id}-{inner.path.replace('/', '~')}.yml"
        target = callee_source.copy / ".github" / "workflows" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yamltext.dump(rendered_callee), encoding="utf-8")
        self._sources.used[f"{callee_source.slug}@{callee_source.ref}"] = callee_source.copy
        rendered = copy.deepcopy(job)
        for taken in ("permissions", "concurrency"):
            rendered.pop(taken, None)
        rendered["name"] = inner.path.replace("/", "~")
        rendered["uses"] = f"{callee_source.slug}/.github/workflows/{name}@{callee_source.ref}"
        self._change(source, path, f"jobs.{key}.uses", f"`{job['uses']}` is taken from this installation's files", "nothing is fetched")
        return rendered

    def _job(self, document: Document, job: Document, key: str, source: Source, path: str, call: _Call, where: str) -> Document:
        checks.check_job(where, job)
        spec = self._spec(document, job, key, source, path, call)
        self._result.jobs.append(spec)
        values = {
            **self._facts.values,
            "job.workflow_ref": f"{source.slug}/{path}@{source.ref}",
            "job.workflow_sha": source.sha,
            "job.workflow_repository": source.slug,
            "job.workflow_file_path": path,
        }
        steps = StepRenderer(self._sources, source, values, where)
        rendered = copy.deepcopy(job)
        for taken, reason in TAKEN_OUT.items():
            if rendered.pop(taken, None) is not None:
                self._change(source, path, f"jobs.{key}.{taken}", "taken out", reason)
        rendered["name"] = spec.log_name
        rendered["runs-on"] = RUNNER_LABEL
        moved = steps.take_job_environment(rendered)
        groups = (*call.groups, *_groups(job.get("concurrency"), spec.path))
        begin = self._begin_step(spec, job, groups, call)
        rendered["steps"] = [begin, *(steps.render(step, number, moved) for number, step in enumerate(job.get("steps") or []))]
        machine = f"this machine instead of {', '.join(spec.labels)}"
        for place, change, reason in (
            ("name", f"`{spec.log_name}` in the copy", "the log is read by it; reports show GitHub's name"),
            ("runs-on", machine, "no containers, no hosted runner"),
            ("steps", "a first step that waits for queue and gate", "act knows neither"),
            *steps.changes,
        ):
            self._change(source, path, f"jobs.{key}.{place}", change, reason)
        return rendered

    def _spec(self, document: Document, job: Document, key: str, source: Source, path: str, call: _Call) -> JobSpec:
        environment = job.get("environment")
        minutes = job.get("timeout-minutes")
        return JobSpec(
            path=call.inner(key),
            name=call.shown + _static_name(job, key),
            needs=_needs(job, call) + call.needs,
            condition=_joined(call.condition, job.get("if")),
            labels=checks.labels(job),
            permissions=permissions.limited(permissions.of_job(document, job), call.granted),
            timeout_s=float(minutes) * 60 if isinstance(minutes, int | float) else DEFAULT_TIMEOUT_S,
            has_matrix="matrix" in (job.get("strategy") or {}),
            has_environment=bool(environment),
            deployment=not (isinstance(environment, dict) and environment.get("deployment") is False),
            workflow_ref=f"{source.slug}/{path}@{source.ref}",
            workflow_sha=source.sha,
            secrets=_secrets(job),
        )

    def _begin_step(self, spec: JobSpec, job: Document, groups: tuple[dict[str, Any], ...], call: _Call) -> Document:
        environment = job.get("environment")
        name = environment.get("name", "") if isinstance(environment, dict) else (environment or "")
        env = {
            "REHEARSAL_DESK": self._facts.desk,
            "REHEARSAL_JOB": spec.path,
            "REHEARSAL_RUN": str(self._facts.run_id),
            "REHEARSAL_NAME": call.shown + str(job.get("name") or spec.key),
            "REHEARSAL_ENVIRONMENT": str(name),
            "REHEARSAL_MATRIX": "${{ toJSON(matrix) }}" if spec.has_matrix else "",
        }
        kept = []
        for number, group in enumerate(groups):
            env[f"REHEARSAL_GROUP_{number}"] = group["group"]
            env[f"REHEARSAL_GROUP_{number}_CANCEL"] = group["cancel"]
            kept.append({"holder": group["holder"], "queue": group["queue"]})
        env["REHEARSAL_GROUPS"] = json.dumps(kept)
        return {"name": "Wait for queue and gate", "shell": "bash", "env": env, "run": f"exec python3 -I -S '{self._facts.begin}'"}


def _static_name(job: Document, key: str) -> str:
    name = str(job.get("name") or key)
    return key if "${{" in name else name


def _secrets(job: Document) -> frozenset[str] | None:
    names = {name.partition(".")[::2] for name in expressions.names_in(job)}
    read = {rest.upper() for context, rest in names if context == "secrets"}
    return None if "" in read or "*" in read else frozenset(read)


def _needs(job: Document, call: _Call) -> tuple[str, ...]:
    needs = job.get("needs") or []
    return tuple(call.inner(str(need)) for need in ([needs] if isinstance(needs, str) else needs))


def _joined(outer: str, inner: object) -> str:
    own = "" if inner is None else str(inner)
    return " && ".join(part for part in (outer, own) if part)


def _groups(value: Any, holder: str) -> tuple[dict[str, Any], ...]:
    """Read a `concurrency:`; what may hold expressions stays text, for act to evaluate in the first step."""
    if value is None:
        return ()
    if isinstance(value, str):
        return ({"group": value, "cancel": "false", "queue": False, "holder": holder},)
    cancel = value.get("cancel-in-progress", False)
    return (
        {
            "group": str(value.get("group", "")),
            "cancel": str(cancel).lower() if isinstance(cancel, bool) else str(cancel),
            "queue": value.get("queue") == "max",
            "holder": holder,
        },
    )
