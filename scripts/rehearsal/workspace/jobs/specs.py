"""Makes the executor's task from a job's task: identity, parameters, libraries, code from the workspace or from git."""

from __future__ import annotations

from typing import Any

from rehearsal.executor.protocol import TaskSpec
from rehearsal.workspace.errors import ApiError
from rehearsal.workspace.identities import Identity
from rehearsal.workspace.jobs.catalog_changes import known_tables
from rehearsal.workspace.jobs.git_source import GitSourceError, checkout
from rehearsal.workspace.jobs.mailbox import Mailbox
from rehearsal.workspace.jobs.model import JobRun, TaskRun
from rehearsal.workspace.jobs.references import text_of
from rehearsal.workspace.services import Services

OVERRIDES = {
    "notebook": "notebook_params", "spark_python": "python_params", "spark_jar": "jar_params", "sql": "sql_params",
}  # fmt: skip


class SpecError(ValueError):
    """A task that cannot be started as it is written; the message says why and what to change."""


class SpecMaker:
    """Knows how a task's settings become a process.

    Args:
        services: The workspace.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.mailbox: Mailbox | None = None
        self._tokens: dict[str, str] = {}

    async def make(self, run: JobRun, task: TaskRun, kind: str, settings: dict[str, Any], done: dict[str, TaskRun]) -> TaskSpec:
        """Return the task for the executor.

        Args:
            run: The run.
            task: The attempt.
            kind: The executor's kind.
            settings: The task's settings with all references resolved.
            done: Ended tasks of the run, by key, for task values.

        Raises:
            SpecError: something is missing, or not imitated.
        """
        body = settings[{"notebook": "notebook_task", "spark_python": "spark_python_task", "python_wheel": "python_wheel_task",
                         "sql": "sql_task", "spark_jar": "spark_jar_task"}[kind]]  # fmt: skip
        source_root = ""
        path = self._path(kind, body)
        if path and not path.startswith("/") and self._from_git(run, body):
            try:
                source_root = str(await checkout(run.settings["git_source"], self.services.data / "git" / str(run.run_id)))
            except GitSourceError as error:
                raise SpecError(str(error)) from error
        parameters, arguments = self._parameters(kind, body, run)
        requirements, jars, maven = self._libraries(settings, run)
        return TaskSpec(
            id=str(task.run_id), kind=kind, folder=str(self.services.data / "runs" / str(run.run_id) / str(task.run_id)),
            data=str(self.services.data), host=self.services.url, token=self.token(run.run_as), user=run.run_as,
            path=path, source_root=source_root, parameters=parameters, arguments=arguments,
            options=self._options(kind, body, path), requirements=requirements, jars=jars, maven=maven,
            mailbox=await self._mailbox(),
            task_values={key: other.values for key, other in done.items() if other.values},
            context=self._context(run, task, path), catalogs=catalog_names(self.services), schemas=self.services.documents.keys("schemas"),
            tables=known_tables(self.services),
            environment=self._environment(settings, run),
        )  # fmt: skip

    def identity(self, name: str) -> Identity:
        """Return an identity by its name.

        Raises:
            SpecError: the identity is not known.
        """
        found = self.services.identities.by_name(name)
        if found is None and self.services.identities.open:
            found = self.services.identities.default
        if found is None:
            raise SpecError(f"The job runs as {name}, which is not an identity of this workspace.")
        return found

    def token(self, name: str) -> str:
        """Return a token that stands for an identity as long as the server runs.

        Raises:
            SpecError: the identity is not known.
        """
        if name not in self._tokens:
            self._tokens[name] = self.services.identities.issue_token(self.identity(name), self.services.clock(), None)
        return self._tokens[name]

    def resolved(self, kind: str, spec: TaskSpec) -> dict[str, Any]:
        """Return `resolved_values` of a task run."""
        if kind == "notebook_task":
            return {kind: {"base_parameters": spec.parameters}}
        values: dict[str, Any] = {"parameters": spec.parameters if kind == "sql_task" else spec.arguments}
        if kind == "python_wheel_task" and spec.parameters:
            values["named_parameters"] = spec.parameters
        return {kind: values}

    def _path(self, kind: str, body: dict[str, Any]) -> str:
        if kind == "notebook":
            return str(body["notebook_path"])
        if kind == "spark_python":
            return str(body["python_file"])
        return str((body.get("file") or {}).get("path", "")) if kind == "sql" else ""

    def _from_git(self, run: JobRun, body: dict[str, Any]) -> bool:
        source = body.get("source") or (body.get("file") or {}).get("source") or "GIT"
        if not run.settings.get("git_source"):
            raise SpecError(f"The path {self._path_text(body)} is relative, but the job has no git_source; give a path from /Workspace on.")
        return source == "GIT"

    @staticmethod
    def _path_text(body: dict[str, Any]) -> str:
        return str(body.get("notebook_path") or body.get("python_file") or (body.get("file") or {}).get("path"))

    def _parameters(self, kind: str, body: dict[str, Any], run: JobRun) -> tuple[dict[str, str], list[str]]:
        given = run.overriding.get(OVERRIDES.get(kind, ""))
        if kind == "notebook":
            return {**texts(body.get("base_parameters")), **texts(given), **run.parameters}, []
        if kind == "sql":
            return {**texts(body.get("parameters")), **texts(given), **run.parameters}, []
        if kind == "python_wheel":
            named = run.overriding.get("python_named_params") or body.get("named_parameters")
            return texts(named), list(run.overriding.get("python_params") or body.get("parameters") or [])
        return {}, [text_of(item) for item in (given or body.get("parameters") or [])]

    def _options(self, kind: str, body: dict[str, Any], path: str) -> dict[str, Any]:
        if kind == "python_wheel":
            return {"package_name": body.get("package_name", ""), "entry_point": body.get("entry_point", "")}
        if kind == "spark_jar":
            return {"main_class_name": body.get("main_class_name", "")}
        if kind == "sql":
            if not path:
                other = next((name for name in ("query", "dashboard", "alert") if body.get(name)), "nothing")
                raise SpecError(f"An SQL task must name a file to be run locally; this one names {other}, which only a workspace has.")
            return {"warehouse_id": body.get("warehouse_id", "")}
        if kind == "notebook":
            found = None if not path.startswith("/") else self.services.files.find(path)
            return {"language": found.language if found and found.language else "PYTHON"}
        return {}

    def _libraries(self, settings: dict[str, Any], run: JobRun) -> tuple[list[str], list[str], list[str]]:
        requirements: list[str] = []
        jars: list[str] = []
        maven: list[str] = []
        for library in settings.get("libraries") or []:
            if "whl" in library:
                requirements.append(library["whl"])
            elif "pypi" in library:
                requirements.append(library["pypi"]["package"])
            elif "requirements" in library:
                requirements.append(f"-r {library['requirements']}")
            elif "jar" in library:
                jars.append(library["jar"])
            elif "maven" in library:
                maven.append(str(library["maven"]["coordinates"]))
            else:
                raise SpecError(
                    f"The library {library} cannot be had without a network; the local workspace knows whl, pypi, requirements, jar, maven."
                )
        key = settings.get("environment_key")
        for environment in run.settings.get("environments") or []:
            if environment.get("environment_key") == key:
                requirements += (environment.get("spec") or {}).get("dependencies") or []
        return requirements, jars, maven

    async def _mailbox(self) -> str:
        return "{}:{}".format(*await self.mailbox.address()) if self.mailbox else ""

    def _environment(self, settings: dict[str, Any], run: JobRun) -> dict[str, str]:
        cluster = settings.get("new_cluster") or {}
        for entry in run.settings.get("job_clusters") or []:
            if entry.get("job_cluster_key") == settings.get("job_cluster_key"):
                cluster = entry.get("new_cluster") or {}
        return texts(cluster.get("spark_env_vars"))

    def _context(self, run: JobRun, task: TaskRun, path: str) -> dict[str, str]:
        return {
            "job_id": str(run.job_id), "run_id": str(run.run_id), "task_run_id": str(task.run_id), "task_key": task.task_key,
            "job_name": run.name, "workspace_id": self.services.workspace_id, "user": run.run_as, "path": path,
            "attempt": str(task.attempt),
        }  # fmt: skip


def texts(values: Any) -> dict[str, str]:
    """Return parameters with every value as text."""
    return {str(name): text_of(value) for name, value in (values or {}).items()}


def run_as_name(services: Services, settings: dict[str, Any], creator: str) -> str:
    """Return the name of the identity that a job's runs run as.

    Raises:
        ApiError: 400 when `run_as` names an identity that this workspace does not have.
    """
    run_as = settings.get("run_as") or {}
    name = run_as.get("service_principal_name") or run_as.get("user_name")
    if not name:
        return creator
    if not services.identities.open and services.identities.by_name(str(name)) is None:
        raise ApiError("INVALID_PARAMETER_VALUE", f"run_as: the identity {name} does not exist in this workspace.")
    return str(name)


def catalog_names(services: Services) -> list[str]:
    """Return the names of all catalogs; there is always `main`."""
    return sorted({"main", *services.documents.keys("catalogs")} - {"system"})
