"""Builds artifacts, finds the local libraries that resources name, and uploads them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from rehearsal.databricks_cli import scripts
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, format_path, match
from rehearsal.databricks_cli.dyn import Path as ConfigPath
from rehearsal.databricks_cli.http_client import ApiError
from rehearsal.databricks_cli.translate import is_local, is_local_dependency

_TASKS = (("jobs", "*", "tasks", "*"), ("jobs", "*", "tasks", "*", "for_each_task", "task"))
_OLDEST_RUNTIME = (13, 1)
_VERSION = re.compile(r"(?:custom:)?(?:release__)?(\d+)\.(\d+|x)\.")


def prepare_artifacts(bundle: Bundle) -> None:
    """Make the paths of artifacts absolute and say which files they give.

    Raises:
        CommandError: A wheel has no build command and nothing tells how to build it.
    """
    for _, artifact in match(bundle.config, ("artifacts", "*")):
        place = artifact.locations[0].file if artifact.locations else str(bundle.root / "databricks.yml")
        folder = os.path.normpath(Path(place).parent / (artifact.text("path") or "."))
        artifact.set(("path",), Node(folder, artifact.locations))
        is_wheel = artifact.text("type") == "whl"
        files = artifact.get("files")
        if files is not None and files.items:
            for item in files.items:
                source = item.text("source")
                item.set(("source",), Node(os.path.normpath(Path(place).parent / source), item.locations))
        elif is_wheel:
            artifact.set(("files",), Node([Node({"source": Node(f"{folder}/dist/*.whl")})]))
        if is_wheel and not artifact.text("build") and not (files is not None and files.items):
            if not (Path(folder) / "setup.py").is_file():
                raise CommandError(
                    f"artifact in {folder} has no build command; the stand-in needs `build:` to make a wheel",
                    locations=artifact.locations[:1],
                )
            artifact.set(("build",), Node("python3 setup.py bdist_wheel"))


def build(bundle: Bundle) -> None:
    """Run the build commands of the artifacts, with the bundle's scripts before and after.

    Raises:
        CommandError: A build failed.
    """
    scripts.run(bundle, "prebuild")
    for path, artifact in sorted(match(bundle.config, ("artifacts", "*")), key=lambda item: str(item[0][1])):
        command, folder, name = artifact.text("build"), artifact.text("path"), path[1]
        if not command:
            continue
        bundle.diagnostics.log(f"Building {name}...")
        if artifact.text("type") == "whl":
            for old in Path(folder).glob("dist/*.whl"):
                old.unlink()
        result = scripts.shell(command, folder, _shell_of(artifact))
        if result.returncode:
            raise CommandError(f"build failed {name}, error: exit status {result.returncode}, output: {result.stdout}")
    scripts.run(bundle, "postbuild")


def _shell_of(artifact: Node) -> str:
    """Return the shell an artifact's build command is written for; empty for the usual one."""
    program = artifact.text("executable")
    if program not in ("", "bash", "sh"):
        raise CommandError(f"executable {program} of artifacts is not supported, only bash and sh", locations=artifact.locations[:1])
    return program


def _references(bundle: Bundle) -> Iterator[tuple[ConfigPath, Node, int]]:
    """Yield each list of libraries with the index of an element that may name a local file."""
    for pattern in _TASKS:
        for path, libraries in match(bundle.config, ("resources", *pattern, "libraries")):
            for index, library in enumerate(libraries.items):
                if is_local(library.text("whl")) or is_local(library.text("jar")):
                    yield path, libraries, index
    for pattern in (("jobs", "*", "environments", "*", "spec", "dependencies"), ("pipelines", "*", "environment", "dependencies")):
        for path, dependencies in match(bundle.config, ("resources", *pattern)):
            for index, dependency in enumerate(dependencies.items):
                if isinstance(dependency.value, str) and is_local_dependency(dependency.value):
                    yield path, dependencies, index


def expand(bundle: Bundle) -> None:
    """Replace local libraries by the paths they get in the workspace, and remember what is to be uploaded.

    Raises:
        StopCommand: A pattern matches no file; the errors are among the diagnostics.
    """
    remote = f"{bundle.config.text('workspace', 'artifact_path')}/.internal"
    replaced: dict[tuple[int, int], list[Node]] = {}
    lists: dict[int, Node] = {}
    for path, owner, index in _references(bundle):
        item = owner.items[index]
        field = next((name for name in ("whl", "jar") if item.text(name)), "")
        node = item.get(field) if field else item
        assert node is not None
        pattern = str(node.value).removeprefix("./")
        files = sorted(glob.glob(pattern, root_dir=bundle.sync_root))  # noqa: PTH207 - plain names are wanted
        if not files:
            where = (*path, index, field) if field else (*path, index)
            bundle.diagnostics.error(f"no files match pattern: {pattern}", paths=(format_path(where),), locations=item.locations[:1])
            continue
        new: list[Node] = []
        for file in files:
            target = f"{remote}/{Path(file).name}"
            bundle.libraries[str(bundle.sync_root / file)] = target
            new.append(Node({field: Node(target, node.locations)}, item.locations) if field else Node(target, node.locations))
        replaced[id(owner), index] = new
        lists[id(owner)] = owner
    bundle.diagnostics.stop_on_error()
    for key, owner in lists.items():
        parts = [replaced.get((key, index), [item]) for index, item in enumerate(owner.items)]
        owner.value = [item for part in parts for item in part]


def upload(bundle: Bundle) -> None:
    """Replace the uploaded libraries of the deployment before by those of this one."""
    internal = f"{bundle.config.text('workspace', 'artifact_path')}/.internal"
    workspace = bundle.workspace
    if not bundle.config.plain("experimental", "skip_artifact_cleanup"):
        workspace.mkdirs(internal)
        workspace.delete(internal, recursive=True)
    workspace.mkdirs(internal)
    for local, remote in sorted(bundle.libraries.items()):
        bundle.diagnostics.log(f"Uploading {Path(local).relative_to(bundle.sync_root).as_posix()}...")
        workspace.upload(remote, Path(local).read_bytes())


def warn_of_old_runtimes(bundle: Bundle) -> None:
    """Warn when a task with local libraries runs on a cluster that is too old for them."""
    for _, _, job in bundle.resources("jobs"):
        tasks = (job.get("tasks") or Node([])).items
        in_environment = any(
            isinstance(item.value, str) and is_local_dependency(item.value)
            for _, item in match(job, ("environments", "*", "spec", "dependencies", "*"))
        )
        clusters = {item.text("job_cluster_key"): item for _, item in match(job, ("job_clusters", "*"))}
        for task in tasks:
            own = any(is_local(item.text("whl")) or is_local(item.text("jar")) for _, item in match(task, ("libraries", "*")))
            if not (own or in_environment):
                continue
            shared = clusters.get(task.text("job_cluster_key"))
            versions = [task.text("new_cluster", "spark_version"), shared.text("new_cluster", "spark_version") if shared else ""]
            if cluster_id := task.text("existing_cluster_id"):
                try:
                    versions.append(_cluster_version(bundle, cluster_id))
                except ApiError as problem:
                    bundle.diagnostics.log(f"Warn: unable to get spark version for cluster {cluster_id}, err: {problem.message}")
                    return
            if any(_too_old(version) for version in versions):
                bundle.diagnostics.warn(
                    "Python wheel tasks require compute with DBR 13.3+ to include local libraries. Please change your cluster "
                    "configuration or use the experimental 'python_wheel_wrapper' setting. "
                    "See https://docs.databricks.com/dev-tools/bundles/python-wheel.html for more information."
                )
                return


def _cluster_version(bundle: Bundle, cluster_id: str) -> str:
    if cluster_id.startswith("${resources.clusters."):
        return bundle.config.text("resources", "clusters", cluster_id.split(".")[2], "spark_version")
    return str(bundle.workspace.http.get("/api/2.1/clusters/get", {"cluster_id": cluster_id}).get("spark_version", ""))


def _too_old(version: str) -> bool:
    hit = _VERSION.match(version)
    if hit is None:
        return False
    minor = 99 if hit[2] == "x" else int(hit[2])
    return (int(hit[1]), minor) < _OLDEST_RUNTIME
