"""The repository's own files for GitHub: issue forms and Dependabot by their schemas, code owners by the paths that they name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
CHECK = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema"]
SCHEMAS = {
    ".github/dependabot.yml": "vendor.dependabot",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/failure.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/wish.yml": "vendor.github-issue-forms",
}


def test_every_form_is_checked() -> None:
    assert {f".github/ISSUE_TEMPLATE/{path.name}" for path in FORMS.iterdir()} == {name for name in SCHEMAS if "ISSUE" in name}


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_file_fits_its_schema(name: str, schema: str) -> None:
    done = subprocess.run([*CHECK, schema, str(ROOT / name)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_a_form_that_does_not_fit_is_found(tmp_path: Path) -> None:
    form = yaml.safe_load((FORMS / "wish.yml").read_text())
    form["body"][0]["type"] = "essay"
    (tmp_path / "form.yml").write_text(yaml.safe_dump(form))
    argv = [*CHECK, "vendor.github-issue-forms", str(tmp_path / "form.yml")]
    assert subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 1


def test_code_owners_own_what_is_there_and_are_teams() -> None:
    """GitHub says nothing about a line whose path leads nowhere: such a file would have no owner."""
    lines = [line.split() for line in (ROOT / ".github" / "CODEOWNERS").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0][0] == "*"
    for path, *owners in lines:
        assert owners
        assert all(owner.startswith("@bundleflow/") for owner in owners), "roles, not people"
        assert path == "*" or (ROOT / path.strip("/")).exists(), f"{path} is not there"
        assert (ROOT / path.strip("/")).is_dir() == path.endswith("/") or path == "*"


def test_dependabot_looks_after_actions_and_every_set_of_packages() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    places = {(each["package-ecosystem"], folder) for each in updates for folder in each.get("directories", [each.get("directory")])}
    assert ("github-actions", "/") in places
    for file in ROOT.glob("scripts/**/requirements/*.txt"):
        assert ("pip", f"/{file.parent.relative_to(ROOT).as_posix()}") in places
    assert all(each["cooldown"]["default-days"] >= 7 for each in updates)
