"""A pull request's deployment: its marker and place, when it goes, and that nothing else goes with it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.github import GitHubError
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.own_deployment import MARKER_FILE, OwnDeployment, now, read_marker
from bundleflow.releases.isolation import PROBES
from bundleflow.releases.own_deployments import Found, Owner, Place, Rule, find, judge
from bundleflow.releases.remove_deployment import check_own, read_state, remove, remove_by_state

ROOT = "/Workspace/Deployments/iris"


def deployment(suffix: str = "-pr5-77", **changes: Any) -> OwnDeployment:
    values: dict[str, Any] = {
        "repository": "team/iris",
        "repository_id": "9",
        "pull_request": 5,
        "run_id": 77,
        "commit": "a" * 40,
        "bundle_dir": ".",
        "target": "test",
        "suffix": suffix,
        "root_path": f"{ROOT}/test{suffix}",
        "state_path": f"{ROOT}/test{suffix}/state",
        "created": now().isoformat(),
    }
    return OwnDeployment(**{**values, **changes})


OWNER = Owner("team/iris", "9", ".", "test")
PLACE = Place(f"{ROOT}/test{PROBES[0]}", f"{ROOT}/test{PROBES[0]}/state", PROBES[0])


def test_a_marker_says_again_what_was_written() -> None:
    made = deployment()
    assert read_marker(made.marker()) == made


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "x"},
        {"version": 2},
        {"created": "yesterday"},
        {"created": "2026-01-01T00:00:00"},
        {"suffix": "../x"},
        {"run_id": "1"},
        {"pull_request": "1"},
        {"commit": "--upload-pack=x"},
        {"root_path": None},
    ],
)
def test_a_marker_that_is_not_quite_one_is_none(changes: dict[str, Any]) -> None:
    data = json.loads(deployment().marker())
    assert read_marker(json.dumps({**data, **changes}).encode()) is None
    assert read_marker(b"[1]" if "kind" in changes else b"\xff") is None
    assert read_marker(deployment().marker() + b" " * 20_000) is None


@pytest.mark.parametrize(
    ("root", "parent", "folder", "suffix"),
    [
        ("/W/iris/test@", "/W/iris", "test-pr1-2", "-pr1-2"),
        ("/W/iris/test@", "/W/iris", "test", None),
        ("/W/iris/test@", "/W/iris", "testing", None),
        ("/W/iris/test@", "/W/iris", "staging-x", None),
        ("/W/iris@/test", "/W", "iris-x", "-x"),
        ("/W/a.b@c/test", "/W", "a.b-xc", "-x"),
        ("/W/a.b@c/test", "/W", "aXb-xc", None),
    ],
)
def test_a_folder_is_a_deployments_only_where_the_target_puts_one(root: str, parent: str, folder: str, suffix: str | None) -> None:
    place = Place(root.replace("@", PROBES[0]), "", PROBES[0])
    assert (place.parent, place.suffix(folder)) == (parent, suffix)
    assert place.root("-x") == root.replace("@", "-x")


def test_a_root_path_without_the_suffix_is_no_place_to_look() -> None:
    with pytest.raises(BundleflowError, match="does not hang on"):
        Place.of({"workspace": {"root_path": "/W/iris/test"}}, PROBES[0], "test")


class Workspace:
    """A workspace of files, and what was removed from it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.removed: list[str] = []
        self.owners: dict[str, str | None] = {}

    def folders(self, path: str) -> tuple[str, ...]:
        return tuple(sorted({name[len(path) + 1 :].partition("/")[0] for name in self.files if name.startswith(f"{path}/")}))

    def read(self, path: str, limit: int) -> bytes | None:
        return self.files[path][: limit + 1] if path in self.files else None

    def exists(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}/") for name in self.files)

    def remove_folder(self, path: str) -> None:
        self.files = {name: content for name, content in self.files.items() if not name.startswith(f"{path}/")}

    def remove(self, kind: str, identity: str) -> None:
        self.removed.append(f"{kind} {identity}")

    def metadata_path(self, kind: str, identity: str) -> str | None:
        return self.owners.get(f"{kind} {identity}", f"{ROOT}/test-pr5-77/state/metadata.json")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (deployment(), ""),
        (deployment(repository="other/iris"), "made by other/iris"),
        (deployment(repository_id="10"), "made by team/iris"),
        (deployment(repository_id=""), ""),
        (deployment(repository=""), "made by nobody that is named"),
        (deployment(target="staging"), "made from bundle ., target staging"),
        (deployment(bundle_dir="b"), "made from bundle b, target test"),
        (deployment(root_path=f"{ROOT}/prod"), "its marker belongs to another folder"),
        (deployment(suffix="-pr5-78", root_path=f"{ROOT}/test-pr5-77"), "its marker belongs to another folder"),
    ],
)
def test_only_a_marker_of_this_repository_bundle_target_and_folder_counts(made: OwnDeployment, why: str) -> None:
    workspace = Workspace({f"{ROOT}/test-pr5-77/{MARKER_FILE}": made.marker(), f"{ROOT}/prod/{MARKER_FILE}": made.marker()})
    (found,) = find(workspace, PLACE, OWNER)
    assert (found.root_path, found.foreign) == (f"{ROOT}/test-pr5-77", why)
    assert (found.deployment is None) == bool(why)


class GitHub:
    """GitHub's answers: the runs and pull requests that it knows."""

    def __init__(self, runs: dict[int, bool], pulls: dict[int, bool]) -> None:
        self.runs, self.pulls = runs, pulls

    def run_is_at_work(self, run_id: int) -> bool:
        return self._known(self.runs, run_id)

    def pull_request_is_open(self, number: int) -> bool:
        return self._known(self.pulls, number)

    def _known(self, things: dict[int, bool], key: int) -> bool:
        if key not in things:
            raise GitHubError("Not Found", status=404, fix="")
        return things[key]


@pytest.mark.parametrize(
    ("runs", "pulls", "closed", "hours", "goes"),
    [
        ({77: False, 1: True}, {5: False}, None, 0, True),
        ({77: False, 1: True}, {5: True}, None, 1, False),
        ({77: False, 1: True}, {5: True}, None, 25, True),
        ({77: False, 1: True}, {}, None, 1, False),
        ({77: True, 1: True}, {5: False}, None, 99, False),
        ({1: True}, {5: False}, None, 1, True),  # GitHub has forgotten the run, and can show others
        ({}, {5: False}, None, 99, False),  # GitHub shows no run at all: nothing is known
        ({77: False, 1: True}, {5: True}, 5, 0, True),
        ({77: True, 1: True}, {5: False}, 5, 0, False),
        ({77: False, 1: True}, {5: False}, 6, 99, False),
    ],
)
def test_when_a_deployment_goes(runs: dict[int, bool], pulls: dict[int, bool], closed: int | None, hours: int, goes: bool) -> None:
    made = deployment(created=(now() - timedelta(hours=hours)).isoformat())
    verdict = judge(GitHub(runs, pulls), Found("x", made), Rule(closed, 24, now()), own_run=1)  # type: ignore[arg-type]
    assert verdict.goes is goes
    assert verdict.why


# Removal


def state(**entries: Any) -> bytes:
    return json.dumps({"state": {f"resources.{key.replace('__', '.')}": entry for key, entry in entries.items()}}).encode()


def left(content: bytes) -> Workspace:
    return Workspace({f"{ROOT}/test-pr5-77/state/resources.json": content, f"{ROOT}/test-pr5-77/{MARKER_FILE}": deployment().marker()})


def test_what_the_state_names_goes_dependents_first_and_the_folder_last() -> None:
    workspace = left(
        state(
            schemas__s={"__id__": "c.iris-pr5-77"},
            registered_models__m={"__id__": "c.iris-pr5-77.m", "depends_on": [{"node": "resources.schemas.s"}]},
            registered_models__m__grants={"__id__": "x"},
            jobs__j={"__id__": "12", "state": {"name": "j-pr5-77"}},
            jobs__gone={"__id__": "13", "state": {"name": "k-pr5-77"}},
        )
    )
    workspace.owners["jobs 13"] = None
    assert "4 resources" in remove(workspace, deployment(), [])
    assert workspace.removed == ["jobs 12", "registered_models c.iris-pr5-77.m", "schemas c.iris-pr5-77"]
    assert not workspace.files


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (state(schemas__s={"__id__": "c.iris"}), "does not hold its suffix"),
        (state(schemas__s={"__id__": "c.iris-pr5-777"}), "does not hold its suffix"),
        (state(jobs__j={"__id__": "12", "state": {"name": "production"}}), "does not hold its suffix"),
        (state(jobs__j={"__id__": "99"}), "belongs to another deployment"),
        (state(catalogs__c={"__id__": "c-pr5-77"}), "not removed here"),
        (b"{", "cannot be understood"),
        (b'{"state": {"resources.jobs.j": 3}}', "cannot be understood"),
    ],
)
def test_what_may_be_somebody_elses_stays_with_the_folder(content: bytes, says: str) -> None:
    workspace = left(content)
    workspace.owners["jobs 99"] = f"{ROOT}/prod/state/metadata.json"
    with pytest.raises(BundleflowError, match=says) as told:
        remove(workspace, deployment(), [])
    assert told.value.reason is FailureReason.CLEANUP_FAILED
    assert (workspace.removed, len(workspace.files)) == ([], 2)


def test_another_engines_state_is_left_to_the_cli() -> None:
    workspace = Workspace({f"{ROOT}/test-pr5-77/state/terraform.tfstate": b"{}"})
    assert read_state(workspace, deployment()) == {}
    check_own({}, deployment())
    with pytest.raises(BundleflowError, match="terraform"):
        remove_by_state(workspace, deployment(), {})


def test_a_bundle_that_leads_elsewhere_is_not_destroyed(tmp_path: Path) -> None:
    program = tmp_path / "databricks"
    program.write_text(
        f"""#!/bin/sh\necho "$2" >> {tmp_path}/calls\necho '{{"workspace": {{"root_path": "{ROOT}/prod", "state_path": "x"}}}}'\n"""
    )
    program.chmod(0o755)
    workspace = left(state())
    cli = DatabricksCli(tmp_path, "test", env={"DATABRICKS_CLI_PATH": str(program), "PATH": "/usr/bin:/bin"}, echo=False)
    assert "by its state" in remove(workspace, deployment(), [cli])
    assert (tmp_path / "calls").read_text() == "summary\n"
