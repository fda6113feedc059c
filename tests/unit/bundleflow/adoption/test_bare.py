"""Adoption of the bare bundles in tests/data/bare: quick, linted, idempotent, taken back by git; nothing that is there is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bundles import git, repository, tree

from bundleflow.adoption.proposal import propose
from bundleflow.adoption.survey import survey
from bundleflow.cli import main
from bundleflow.commands.lint import lint
from bundleflow.records.errors import ExitCode
from bundleflow.records.flow import load_flow
from bundleflow.releases.bundle_reach import outside_paths, touched_bundles
from bundleflow.releases.bundle_yaml import known_fields
from bundleflow.releases.offline import check_offline
from bundleflow.templates_callers import KIT_ROOT

BARE = KIT_ROOT / "tests" / "data" / "bare"
NAMES = sorted(path.name for path in BARE.iterdir() if path.is_dir())
STAGES = {
    "job-only": {"test": "default", "prod": "default"},
    "mono": {"dev": "dev", "test": "staging", "staging": "staging", "prod": "prod"},
    "wheel": {"test": "Sandkasten 1", "staging": "Sandkasten 1", "prod": "LIVE-eu.west"},
}
"""Bundle → stage → target that is proposed for it."""


@pytest.fixture(params=NAMES)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / str(request.param)
    shutil.copytree(BARE / str(request.param), folder, ignore=shutil.ignore_patterns("__pycache__"))
    return repository(folder, {})


def test_every_bare_bundle_has_its_expectation() -> None:
    assert sorted(STAGES) == NAMES


def test_what_is_proposed_fits_the_bundle_and_can_be_taken_back(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(bare)
    assert main(["adopt", str(bare), "--yes"]) == ExitCode.OK
    flow = load_flow(bare / "bundleflow.yml")
    assert {name: stage.target for name, stage in flow.stages.items()} == STAGES[bare.name]
    assert lint(bare, Path("bundleflow.yml")).findings == []
    for bundle in survey(bare).bundles:
        assert check_offline(bare / bundle.folder, bare, known_fields(), flow).findings == ()
    after = tree(bare)
    assert {name: text for name, text in after.items() if name in before} == before

    assert main(["adopt", str(bare), "--yes"]) == ExitCode.OK
    assert tree(bare) == after, "a second run changes nothing"
    written = sorted(set(after) - set(before))
    git(bare, "clean", "-qf", "--", *written)
    assert tree(bare) == before


def test_a_shared_folder_touches_both_bundles(tmp_path: Path) -> None:
    folder = tmp_path / "mono"
    shutil.copytree(BARE / "mono", folder)
    bundles = list(propose(survey(folder)).bundles)
    assert bundles == ["bundles/ingest", "bundles/monthly report"]
    reach = {bundle: outside_paths(folder, bundle) for bundle in bundles}
    assert touched_bundles(bundles, ["shared/calendars/__init__.py"], reach, {}) == bundles
    assert touched_bundles(bundles, ["bundles/monthly report/src/work.py"], reach, {}) == bundles[1:]
