"""Bundles whose parts have another form than they must have: named with their place, and no hindrance for the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import ISOLATED, repository

from bundleflow.adoption.proposal import propose
from bundleflow.adoption.survey import survey
from bundleflow.cli import main
from bundleflow.records.errors import ExitCode


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("bundle: [a]\n", 1, "bundle"),
        ("bundle: {git: y}\n", 1, "bundle.git"),
        ("bundle: {deployment: {lock: off}}\n", 1, "bundle.deployment.lock"),
        ("targets: [dev]\n", 1, "targets"),
        ("targets:\n  dev: y\n", 2, "targets.dev"),
        ("targets:\n  dev:\n    git: y\n", 3, "targets.dev.git"),
        ("targets:\n  dev:\n    workspace: [a]\n", 3, "targets.dev.workspace"),
        ("resources: {jobs: [a]}\n", 1, "resources.jobs"),
        ("variables: [a]\n", 1, "variables"),
        ("permissions: 5\n", 1, "permissions"),
    ],
)
def test_a_bundle_of_another_form_is_left_out_with_its_place(
    text: str, line: int, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository(tmp_path / "mono", {"good/databricks.yml": ISOLATED, "odd/databricks.yml": text})
    found = survey(folder)
    assert [each.folder for each in found.bundles] == ["good"]
    assert found.left_out["odd"].startswith(f"odd/databricks.yml:{line}:")
    assert f"`{part}` must be a " in found.left_out["odd"]
    assert main(["adopt", str(folder), "--dry-run"]) == ExitCode.OK
    assert f"note: odd: odd/databricks.yml:{line}:" in capsys.readouterr().err


def test_empty_parts_are_no_hindrance(tmp_path: Path) -> None:
    text = "bundle: {name: b, git: , deployment: }\nworkspace:\nvariables:\nresources: {jobs: {j: }}\ntargets: {prod: }\n"
    folder = repository(tmp_path / "r", {"databricks.yml": text})
    assert propose(survey(folder)).bundles == (".",)
