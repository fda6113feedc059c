"""lint on the recorded bundles: what the Databricks CLI takes has no finding, what it warns of or refuses as YAML has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundleflow.releases.bundle_references import check_references
from bundleflow.releases.bundle_yaml import check_fields, known_fields, read_bundle

CASES = Path(__file__).parent / "cases"
BUNDLES = sorted(path.parent for path in CASES.rglob("databricks.yml"))
WRONG = {
    "error-bad-yaml/bundle": ["unexpected end of stream"],
    "error-unknown-field/bundle": ["`base_params`", "`maximum_runs`", "`resource`"],
    "includes-anchors/third": ["`nothing/here.yml`, which does not exist"],
    "variables-errors/bundle": ["`${var.missing}`", "`${bundle.nothing}`", "`${resources.jobs.k.id}`"],
}


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: str(folder.relative_to(CASES)))
def test_findings_are_those_of_the_cli(folder: Path) -> None:
    bundle = read_bundle(folder, folder)
    checked = [*bundle.findings, *check_fields(bundle, folder, known_fields()), *check_references(bundle, folder)]
    findings = [finding.message for finding in checked]
    expected = WRONG.get(str(folder.relative_to(CASES)), [])
    assert len(findings) == len(expected), findings
    for text in expected:
        assert any(text in finding for finding in findings), findings


def test_bundles_are_there() -> None:
    assert len(BUNDLES) > 50
