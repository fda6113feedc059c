"""`bundleflow adopt`: what it proposes for odd bundles is valid and linted; nothing that is there is ever touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from bundles import BARE, HOME, ISOLATED, SHA, git, grown, repository, tree

from bundleflow.adoption.files import callers
from bundleflow.adoption.proposal import propose
from bundleflow.adoption.survey import survey
from bundleflow.cli import main
from bundleflow.commands.lint import lint
from bundleflow.records.accepted import load_accepted
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.flow import Flow, load_flow
from bundleflow.releases.bundle_yaml import known_fields
from bundleflow.releases.offline import check_offline
from bundleflow.templates_callers import KIT_ROOT

CASES = KIT_ROOT / "tests" / "contract" / "cases"


def adopt(folder: Path, *argv: str) -> Flow:
    assert main(["adopt", str(folder), "--yes", *argv]) == ExitCode.OK
    return load_flow(folder / "bundleflow.yml")


def test_a_grown_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grown(tmp_path / "orders")
    before = tree(folder)
    flow = adopt(folder)
    assert {name: (stage.target, stage.environment) for name, stage in flow.stages.items()} == {
        "dev": ("DEV", "dev"),
        "test": ("qua", "test"),
        "staging": ("qua", "staging"),
        "prod": ("PRD", "production"),
    }
    assert flow.stages["prod"].plan_environment == "production-plan"
    assert flow.stages["prod"].requires == "staging"
    assert not flow.stages["prod"].approval.one_identity
    assert not flow.stages["test"].per_pull_request
    assert not any(stage.run for stage in flow.stages.values())
    text = (folder / "bundleflow.yml").read_text()
    assert "# Push to main. Target `qua`: it stands between development and production, and no target is called staging." in text
    assert "# run: [Load-Orders]" in text
    # A folder that everybody may write gives a warning of the CLI, which was there before: the old way of writing the path too.
    warning = "the bundle root path /Workspace/Shared/deploy/orders qua is writable by all workspace users"
    assert [(each.target, each.text) for each in load_accepted(folder / str(flow.warnings)).entries] == [("qua", warning)]
    shown = capsys.readouterr().err
    assert "note: target PRD: its `workspace: profile:`" in shown
    assert "${var.suffix} at the end of resources.jobs.Load-Orders.name" in shown
    assert "git -C" in shown
    assert "clean -f -- bundleflow.yml" in shown
    assert {name: text for name, text in tree(folder).items() if name in before} == before
    git(folder, "clean", "-qfd")
    assert tree(folder) == before


def test_a_bundle_with_a_target_of_each_pull_requests_own(tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "iso",
        {"databricks.yml": ISOLATED, "tests/unit/test_a.py": "", "tests/requirements.txt": "pytest==9 --hash=sha256:0\n"},
    )
    flow = adopt(folder, "--run", "j")
    assert flow.stages["test"].target == "ci"
    assert flow.stages["test"].per_pull_request
    assert [name for name, stage in flow.stages.items() if stage.run == ("j",)] == list(flow.stages)
    assert (flow.unit_tests.path, flow.unit_tests.requirements) == ("tests/unit", "tests/requirements.txt")
    names = {path.stem for path in (folder / ".github" / "workflows").iterdir()}
    assert names == {"lint", "bundle-ci", "run-tests", "cleanup", "cd-staging", "cd-prod"}


def test_production_that_hangs_on_who_deploys_is_planned_by_one_identity(tmp_path: Path) -> None:
    folder = repository(tmp_path / "single", {"databricks.yml": HOME})
    flow = adopt(folder)
    assert list(flow.stages) == ["test", "prod"]
    assert "live-eu" in flow.stages["prod"].approval.one_identity
    assert flow.stages["prod"].requires is None
    proposal = propose(survey(folder))
    (note,) = [note for note in proposal.notes if note.subject == "target live-eu"]
    assert "root_path: /Workspace/Deployments/${bundle.name}/${bundle.target}" in note.add
    assert yaml.safe_load(note.add)


def test_a_preview_of_the_release_needs_an_identity_that_only_reads(tmp_path: Path) -> None:
    both = "bundle: {name: b}\ntargets: {dev: {}, prod: {}}\n"
    folder = repository(tmp_path / "b", {"databricks.yml": both})
    assert callers(propose(survey(folder)))["cd-staging"]["plan_environment"] == ""
    fixed = both.replace("prod: {}", "prod: {workspace: {root_path: /Workspace/Deployments/b}}")
    (folder / "databricks.yml").write_text(fixed)
    assert callers(propose(survey(folder)))["cd-staging"]["plan_environment"] == "production-plan"


def test_a_bundle_without_targets(tmp_path: Path) -> None:
    folder = repository(tmp_path / "bare", {"databricks.yaml": BARE})
    flow = adopt(folder)
    assert flow.stages["prod"].target == "default"
    assert check_offline(folder, folder, known_fields(), flow).findings == ()


SHAPES = {
    "isolated": {"databricks.yml": ISOLATED},
    "several": {"a b/databricks.yml": ISOLATED, "c,d/databricks.yml": ISOLATED, "other/databricks.yml": BARE},
    "hostile names": {
        "x'y/databricks.yml": 'bundle: {name: "$(id)"}\ntargets: {"dev: {x": {}, "pr#od \\"q\\"": {}}\n'
        'resources: {jobs: {"a]b": {name: n}}}\n'
    },
}


@pytest.mark.parametrize("files", SHAPES.values(), ids=SHAPES)
def test_what_is_written_passes_every_linter(tmp_path: Path, files: dict[str, str]) -> None:
    folder = repository(tmp_path / "project", files)
    adopt(folder)
    result = lint(folder, Path("bundleflow.yml"))
    assert result.findings == []
    assert result.files["workflows"] >= 3
    for path in (folder / ".github" / "workflows").iterdir():
        uses = [line for line in path.read_text().splitlines() if "uses: bundleflow/" in line]
        assert uses
        assert all(line.endswith(f"@{SHA} # v0.1.0") for line in uses)


def test_several_bundles_share_the_flow_file_and_the_odd_one_is_named(tmp_path: Path) -> None:
    folder = repository(tmp_path / "mono", SHAPES["several"])
    assert adopt(folder).bundles == ("a b", "c,d")
    assert "it has no target ci, dev, prod" in next(note.text for note in propose(survey(folder)).notes if note.subject == "other")
    bundle_ci = yaml.safe_load((folder / ".github" / "workflows" / "bundle-ci.yml").read_text())
    assert bundle_ci["jobs"]["required"]["needs"] == ["detect", "bundle-ci"]
    assert bundle_ci[True]["schedule"] == [{"cron": "23 3 * * *"}], "all bundles each night: `on` is true in YAML 1.1"
    staging = yaml.safe_load((folder / ".github" / "workflows" / "cd-prod.yml").read_text())
    assert staging["jobs"]["cd-prod"]["strategy"]["matrix"]["bundle"] == ["a b", "c,d"]
    assert staging["jobs"]["cd-prod"]["with"]["bundle-dir"] == "${{ matrix.bundle }}"


@pytest.mark.parametrize("name", sorted(path.parent.parent.name for path in CASES.glob("*/bundle/databricks.yml")))
def test_recorded_bundles(name: str, tmp_path: Path) -> None:
    """Every bundle that the CLI was recorded with: a valid flow file, or a refusal that names the cause."""
    folder = tmp_path / name
    for path in (CASES / name / "bundle").rglob("*.y*ml"):
        target = folder / path.relative_to(CASES / name / "bundle")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    if name in ("error-bad-yaml",):
        with pytest.raises(BundleflowError, match="There is no bundle"):
            propose(survey(folder))
        return
    flow = adopt(folder)
    declared = {target.name for bundle in survey(folder).bundles for target in bundle.targets}
    assert {stage.target for stage in flow.stages.values()} <= declared


def test_it_is_idempotent_also_with_a_newer_kit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = grown(tmp_path / "orders")
    adopt(folder)
    before = tree(folder)
    monkeypatch.setenv("BUNDLEFLOW_KIT_SHA", "f" * 40)
    capsys.readouterr()
    assert main(["adopt", str(folder), "--json"]) == ExitCode.OK  # nothing to ask, though there is no terminal
    data = json.loads(capsys.readouterr().out)
    assert {each["state"] for each in data["files"]} == {"same"}
    assert data["written"] == []
    assert tree(folder) == before


def test_a_file_that_is_there_is_shown_and_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = {"databricks.yml": ISOLATED, "bundleflow.yml": "version: 1\n", ".github/workflows/lint.yaml": "name: mine\n"}
    folder = repository(tmp_path / "own", own)
    assert main(["adopt", str(folder), "--yes", "--json"]) == ExitCode.OK
    out = capsys.readouterr()
    states = {each["path"]: each["state"] for each in json.loads(out.out)["files"]}
    assert (states["bundleflow.yml"], states[".github/workflows/lint.yml"]) == ("differs", "differs")
    assert states[".github/workflows/cd-prod.yml"] == "new"
    assert "bundleflow.yml is there and says something else: left as it is" in out.err
    assert {name: text for name, text in tree(folder).items() if name in own} == own
    assert ".github/workflows/lint.yml" not in tree(folder)


def test_dry_run_and_no_terminal_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = grown(tmp_path / "orders")
    before = tree(folder)
    assert main(["adopt", str(folder), "--dry-run"]) == ExitCode.OK
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115, PTH123
    assert main(["adopt", str(folder)]) == ExitCode.USAGE
    assert tree(folder) == before


@pytest.mark.parametrize(("said", "written"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_it_asks_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, written: bool) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    folder = grown(tmp_path / "orders")
    monkeypatch.setattr("sys.stdin", Terminal(said))
    assert main(["adopt", str(folder)]) == ExitCode.OK
    assert (folder / "bundleflow.yml").exists() is written


def test_a_link_out_of_the_repository_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grown(tmp_path / "orders")
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / ".github").symlink_to(outside)
    assert main(["adopt", str(folder), "--yes"]) == ExitCode.TROUBLE
    assert "a link leads out of the repository" in capsys.readouterr().err
    assert list(outside.iterdir()) == []


def test_what_cannot_be_adopted_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = repository(tmp_path / "empty", {"README.md": "x"})
    broken = repository(tmp_path / "broken", {"databricks.yml": "bundle: {name: [\n"})
    expression = repository(tmp_path / "expression", {"${{ github.token }}/databricks.yml": BARE})
    for folder, said in ((empty, "There is no bundle"), (broken, "databricks.yml:"), (expression, "an expression of GitHub Actions")):
        assert main(["adopt", str(folder), "--yes"]) == ExitCode.USAGE
        assert said in capsys.readouterr().err
        assert "bundleflow.yml" not in tree(folder)
    assert main(["adopt", str(tmp_path / "nowhere")]) == ExitCode.USAGE
    assert main(["adopt", str(grown(tmp_path / "orders")), "--run", "no-such-job"]) == ExitCode.USAGE
    assert "Load-Orders" in capsys.readouterr().err


def test_templates_of_the_cli_and_what_git_ignores_are_no_bundles(tmp_path: Path) -> None:
    files = {
        "databricks.yml": BARE,
        "template/databricks_template_schema.json": "{}",
        "template/project/databricks.yml": "bundle: {name: x}",
        ".gitignore": "build/\n",
        "build/databricks.yml": BARE,
        "node_modules/x/databricks.yml": BARE,
    }
    assert [each.folder for each in survey(repository(tmp_path / "r", files)).bundles] == ["."]


def test_a_folder_without_git_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "plain" / ".venv" / "x").mkdir(parents=True)
    (tmp_path / "plain" / "databricks.yml").write_text(BARE)
    (tmp_path / "plain" / ".venv" / "x" / "databricks.yml").write_text(BARE)
    assert [each.folder for each in survey(tmp_path / "plain").bundles] == ["."]


def test_checklist_names_what_a_person_clicks_with_both_subjects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grown(tmp_path / "orders")
    git(folder, "remote", "add", "origin", "git@github.com:team/orders.git")
    assert main(["adopt", str(folder), "--checklist"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "`repo:team/orders:environment:production`" in text
    assert "`repo:team@OWNER_ID/orders@REPOSITORY_ID:environment:production-plan`" in text
    assert "- [ ] `production` for target `PRD`: deployment branches: only `release`; required reviewers" in text
    assert "- [ ] `production-plan` for target `PRD` (plans only): deployment branches: only `main` (the plan is previewed there)" in text
    assert "*can manage* on `/Workspace/Deployments/orders`; *service principal user* on the principals that `run_as` names" in text
    assert "service-principal-federation-policy create" in text
    assert subprocess.run(["git", "-C", str(folder), "status", "--porcelain"], capture_output=True, text=True, check=True).stdout == ""


def test_checklist_of_several_bundles_names_the_folder_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = ISOLATED.replace("Deployments/iso/prod", "Deployments/second/prod")
    folder = repository(tmp_path / "mono", {"a/databricks.yml": ISOLATED, "b/databricks.yml": second, "c/databricks.yml": second})
    assert main(["adopt", str(folder), "--checklist"]) == ExitCode.OK
    text = capsys.readouterr().out
    both = "`/Workspace/Deployments/iso/prod`, `/Workspace/Deployments/second/prod`"
    assert f"`production`: *can manage* on {both}" in text
    assert f"`production-plan`: *can view* on {both}" in text
    assert "*can manage* on the deployer's own folder\n" in text


def test_a_stage_with_a_target_in_development_mode_is_noted(tmp_path: Path) -> None:
    bundle = "bundle: {name: b}\ntargets:\n  dev: {mode: development}\n  spare-dev: {mode: development}\n  prod: {mode: production}\n"
    proposal = propose(survey(repository(tmp_path / "b", {"a/databricks.yml": bundle, "b/databricks.yml": bundle})))
    assert {stage.target for stage in proposal.stages} == {"dev", "prod"}
    noted = [note.subject for note in proposal.notes if note.text.startswith("`mode: development` puts the deployer's name")]
    assert noted == ["target dev"]


def test_workflows_that_deploy_by_themselves_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = "on: push\njobs: {d: {runs-on: x, steps: [{run: databricks bundle deploy -t prod}]}}\n"
    files = {"databricks.yml": ISOLATED, ".github/workflows/my-cd.yml": own, ".github/workflows/other.yml": "on: push\njobs: {}\n"}
    folder = repository(tmp_path / "own", files)
    adopt(folder)
    assert [note.text.split(" ", 1)[0] for note in propose(survey(folder)).notes if note.subject == "workflows"] == ["`my-cd.yml`:"]
    capsys.readouterr()
    assert main(["adopt", str(folder), "--checklist"]) == ExitCode.OK
    assert "`my-cd.yml`: deploys too" in capsys.readouterr().out, "code and text stay apart"


def test_branches_and_tests_that_need_a_hand_are_noted(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"databricks.yml": ISOLATED, "tests/test_a.py": "import pandas\n"}, branch="master")
    notes = {note.subject: note.text for note in propose(survey(folder)).notes}
    assert "`master`" in notes["branches"]
    assert "uv pip compile --generate-hashes" in notes["unit tests"]
