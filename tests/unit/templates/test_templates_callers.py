"""The shared callers: what can be given is used, names are quoted where YAML wants it, nothing else gets into a workflow."""

from __future__ import annotations

import re

import pytest
import yaml

from bundleflow.records.errors import BundleflowError
from bundleflow.templates_callers import CALLERS, KIT_ROOT, VALUES, caller_names, render_caller, scalar
from bundleflow.templates_project import templates

SHA = "0123456789abcdef0123456789abcdef01234567"


def test_every_template_takes_its_callers_from_the_shared_ones() -> None:
    for template in templates():
        workflows = sorted((KIT_ROOT / "templates" / template / ".github" / "workflows").glob("*.jinja"))
        assert workflows
        for path in workflows:
            name = re.sub("<%%.*?%%>", "", path.name)  # a file that not every project has is named by a condition
            assert f'include "{CALLERS}/{name}"' in path.read_text(encoding="utf-8"), path


def test_every_template_is_a_folder_and_a_choice() -> None:
    folders = {path.name for path in (KIT_ROOT / "templates").iterdir() if path.is_dir() and path.name != "callers"}
    assert set(templates()) == folders


@pytest.mark.parametrize("name", caller_names())
def test_caller_has_what_it_was_given(name: str) -> None:
    given = {"stage": "acceptance", "environment": "on", "plan_environment": "plan: read", "bundle_dir": "bundles/a"}
    text = render_caller(name, {**given, "branch": "release/1", "pull_branches": ["one", "two"]}, sha=SHA)
    workflow = yaml.safe_load(text)
    (job,) = workflow["jobs"].values()
    assert job["uses"] == f"bundleflow/bundleflow/.github/workflows/{name}.yml@{SHA}"
    expected = {key.replace("_", "-"): value for key, value in given.items()}
    assert {key: value for key, value in job.get("with", {}).items() if key in expected}.items() <= expected.items()
    assert not ({"stage", "environment"} & set(job.get("with", {}))) or job["with"]["bundle-dir"] == "bundles/a"
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    for event, branches in (("push", ["release/1"]), ("pull_request", ["one", "two"])):
        assert event not in triggers or triggers[event]["branches"] == branches


@pytest.mark.parametrize(
    ("text", "written"),
    [("main", "main"), ("release/1.0", "release/1.0"), ("on", '"on"'), ("a: b", '"a: b"'), ("1.0", '"1.0"'), ("*", '"*"'), (".", ".")],
)
def test_names_are_quoted_where_yaml_wants_it(text: str, written: str) -> None:
    assert yaml.safe_load(scalar(text)) == text
    assert scalar(text) == written


@pytest.mark.parametrize("text", ["${{ github.token }}", "a\nb", "a\u2028b", ""])
def test_what_must_not_come_from_a_name_is_refused(text: str) -> None:
    with pytest.raises(BundleflowError, match="cannot stand in a workflow"):
        render_caller("cd-prod", {"environment": text}, sha=SHA)


def test_unknown_caller_and_value_are_refused_by_name() -> None:
    with pytest.raises(BundleflowError, match="no caller `cd-test`"):
        render_caller("cd-test", {}, sha=SHA)
    with pytest.raises(BundleflowError, match="no value `envronment`"):
        render_caller("cd-prod", {"envronment": "x"}, sha=SHA)
    assert set(VALUES) >= {"branch", "stage", "environment"}
