"""`bundleflow lint`: each bundle of the flow file is in the list of every deploying workflow, and none that the flow file does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundleflow.commands.lint_callers import deployed_findings
from bundleflow.templates_callers import render_caller

SHA = "0" * 40


def repository(root: Path, callers: dict[str, str], bundles: tuple[str, ...] = ("apps/a", "apps/b")) -> list[Path]:
    """A repository with callers and bundles; gives the bundles' folders."""
    (root / ".github" / "workflows").mkdir(parents=True)
    for name, text in callers.items():
        (root / ".github" / "workflows" / f"{name}.yml").write_text(text)
    for bundle in bundles:
        (root / bundle).mkdir(parents=True, exist_ok=True)
        (root / bundle / "databricks.yml").touch()
    return [root / bundle for bundle in bundles]


def several(name: str, *bundles: str) -> str:
    return render_caller(name, {"bundles": bundles}, sha=SHA)


def told(root: Path, folders: list[Path]) -> list[tuple[str, str, str]]:
    """File, rule and line of text of each finding."""
    found = []
    for each in deployed_findings(root, folders):
        line = (root / each.file).read_text().splitlines()[each.line - 1]
        found.append((each.file.rpartition("/")[2], each.rule, line[each.column - 1 :]))
    return found


def test_lists_that_name_every_bundle_are_right(tmp_path: Path) -> None:
    callers = {name: several(name, "apps/a", "apps/b/") for name in ("cd-dev", "cd-staging", "cd-prod")}
    assert told(tmp_path, repository(tmp_path, callers)) == []


def test_a_bundle_that_no_job_deploys_is_named_with_its_stage(tmp_path: Path) -> None:
    callers = {"cd-staging": several("cd-staging", "apps/a", "apps/b"), "cd-prod": several("cd-prod", "apps/a")}
    folders = repository(tmp_path, callers)
    assert told(tmp_path, folders) == [("cd-prod.yml", "bundle-not-deployed", "matrix:")]
    (finding,) = deployed_findings(tmp_path, folders)
    assert "no job deploys the bundle `apps/b` to stage `prod`" in finding.message
    assert "Add it to the `matrix` of job `cd-prod`" in finding.message


def test_a_bundle_that_the_flow_file_does_not_know_is_named_where_it_stands(tmp_path: Path) -> None:
    folders = repository(tmp_path, {"cd-dev": several("cd-dev", "apps/a", "apps/gone", "apps/b")})
    assert told(tmp_path, folders) == [("cd-dev.yml", "unknown-bundle", "apps/gone, apps/b]")]


def test_one_folder_without_a_matrix(tmp_path: Path) -> None:
    folders = repository(tmp_path, {"cd-dev": render_caller("cd-dev", {"bundle_dir": "apps/a"}, sha=SHA)})
    assert told(tmp_path, folders) == [("cd-dev.yml", "bundle-not-deployed", "bundle-dir: apps/a")]
    assert told(tmp_path, folders[:1]) == []


def test_the_bundle_at_the_root_is_where_no_folder_is_given(tmp_path: Path) -> None:
    folders = repository(tmp_path, {"cd-dev": render_caller("cd-dev", {}, sha=SHA)}, (".", "apps/b"))
    assert [(rule, text) for _, rule, text in told(tmp_path, folders)] == [("bundle-not-deployed", "cd-dev:")]
    assert told(tmp_path, folders[:1]) == []


def test_two_jobs_of_one_stage_count_together(tmp_path: Path) -> None:
    callers = {folder: render_caller("cd-prod", {"bundle_dir": f"apps/{folder}"}, sha=SHA) for folder in ("a", "b")}
    assert told(tmp_path, repository(tmp_path, callers)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[apps/a]", "${{ fromJSON(vars.BUNDLES) }}"),
        ("bundle: [apps/a]", "${{ fromJSON(vars.MATRIX) }}"),
        ("stage: prod", "stage: ${{ vars.STAGE }}"),
    ],
)
def test_what_only_a_run_knows_is_left_out(old: str, new: str, tmp_path: Path) -> None:
    text = several("cd-prod", "apps/a")
    folders = repository(tmp_path, {"cd-prod": text})
    assert len(told(tmp_path, folders)) == 1
    (tmp_path / ".github" / "workflows" / "cd-prod.yml").write_text(text.replace(old, new))
    assert told(tmp_path, folders) == []


def test_a_folder_without_a_bundle_need_not_be_deployed(tmp_path: Path) -> None:
    folders = repository(tmp_path, {"cd-dev": several("cd-dev", "apps/a", "apps/b")})
    (tmp_path / "apps" / "docs").mkdir()
    assert told(tmp_path, [*folders, tmp_path / "apps" / "docs"]) == []
