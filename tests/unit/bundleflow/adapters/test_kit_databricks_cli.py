"""The CLI adapter with a program that only looks like the CLI: arguments, environment, streams, time limit, reasons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundleflow.adapters import databricks_cli
from bundleflow.adapters.cli_messages import explain_failure, parse_diagnostics
from bundleflow.adapters.databricks_cli import DatabricksCli, auth_type
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason


def program(folder: Path, body: str) -> str:
    path = folder / "databricks"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    path.chmod(0o755)
    return str(path)


def cli(folder: Path, body: str, **more: object) -> DatabricksCli:
    env = {"DATABRICKS_CLI_PATH": program(folder, body), "PATH": os.environ["PATH"], **more.pop("env", {})}  # type: ignore[dict-item]
    return DatabricksCli(folder, env=env, **more)  # type: ignore[arg-type]


ECHO = "print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ), 'cwd': os.getcwd()}))"


def test_arguments_are_a_list_and_variables_travel_by_environment(tmp_path: Path) -> None:
    seen = cli(tmp_path, ECHO, target="a; rm -rf /", variables={"suffix": "-pr1, 'x'"}).plan().json()
    assert seen["argv"] == ["bundle", "plan", "-o", "json", "-t", "a; rm -rf /"]
    assert seen["env"]["BUNDLE_VAR_suffix"] == "-pr1, 'x'"
    assert seen["cwd"] == str(tmp_path)


def test_the_environment_is_what_a_login_needs_and_no_more(tmp_path: Path) -> None:
    given = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_TOKEN": "ghs_x",
        "ACTIONS_RUNTIME_TOKEN": "x",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1/x?y=1",
        "DATABRICKS_HOST": "http://127.0.0.1:1",
        "DATABRICKS_TOKEN": "",
        "DATABRICKS_CLIENT_SECRET": "",
    }
    env = cli(tmp_path, ECHO, env=given, restricted=True).plan().json()["env"]
    assert env["DATABRICKS_AUTH_TYPE"] == "github-oidc"
    assert env["DATABRICKS_CONFIG_FILE"] == os.devnull
    assert env["DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION"] == "true"
    assert not {"GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET"} & env.keys()


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, ""),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "x"}, "github-oidc"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "x", "DATABRICKS_CLIENT_SECRET": "s"}, "oauth-m2m"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "x", "DATABRICKS_TOKEN": "t"}, "pat"),
        ({"DATABRICKS_TOKEN": "t", "DATABRICKS_AUTH_TYPE": "github-oidc"}, "github-oidc"),
    ],
)
def test_the_way_to_log_in(env: dict[str, str], expected: str) -> None:
    assert auth_type(env) == expected


def test_messages_are_shown_and_kept_apart_from_the_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = cli(tmp_path, "print('{}'); print('Uploading ...', file=sys.stderr)").plan()
    assert (result.stdout, result.stderr) == ("{}\n", "Uploading ...\n")
    shown = capfd.readouterr()
    assert "Uploading" in shown.err
    assert shown.out == ""


def test_output_that_is_no_json_is_an_error_of_the_cli(tmp_path: Path) -> None:
    with pytest.raises(BundleflowError) as caught:
        cli(tmp_path, "print('hello')").plan().json()
    assert caught.value.reason is FailureReason.CLI_FAILED


def test_a_call_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks_cli, "READ_TIMEOUT_S", 0.5)
    mark = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(BundleflowError) as caught:
        cli(tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)").plan()
    assert time.monotonic() - started < 10
    assert caught.value.exit_code is ExitCode.TROUBLE
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_deployment_that_is_told_to_stop_may_end_by_itself(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    body = f"open({str(tmp_path / 'began')!r}, 'w'); time.sleep(1.5); open({str(mark)!r}, 'w')"
    path = program(tmp_path, body)
    code = (
        "import signal, sys\nfrom pathlib import Path\nfrom bundleflow.adapters.databricks_cli import DatabricksCli\n"
        "def stop(*_): raise KeyboardInterrupt\nsignal.signal(signal.SIGTERM, stop)\n"
        f"DatabricksCli(Path({str(tmp_path)!r}), env={{'DATABRICKS_CLI_PATH': {path!r}}}).deploy()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) != 0
    assert mark.exists()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleflowError, match="cannot be started") as caught:
        DatabricksCli(tmp_path, env={"DATABRICKS_CLI_PATH": str(tmp_path / "none")}).plan()
    assert "DATABRICKS_CLI_PATH" in caught.value.fix
    with pytest.raises(BundleflowError, match="no bundle folder"):
        DatabricksCli(tmp_path / "none", env={"PATH": os.environ["PATH"], "DATABRICKS_CLI_PATH": sys.executable}).plan()


def test_a_failing_deployment_carries_the_message(tmp_path: Path) -> None:
    body = "print('Error: cannot create resources.jobs.j: nope (400 BAD)', file=sys.stderr); sys.exit(1)"
    with pytest.raises(BundleflowError) as caught:
        cli(tmp_path, body).deploy()
    assert caught.value.reason is FailureReason.DEPLOY_FAILED
    assert "cannot create resources.jobs.j" in caught.value.cause


DIAGNOSTICS = """Warning: unknown field: nme
  at resources.jobs.j
  in databricks.yml:7:9

Error: reference does not exist: ${var.catalgo}
  in resources/a b.yml:3:5
     resources/other.yml:1:1

It is used twice.
Recommendation: name an owner
Uploading bundle files...
"""


def test_diagnostics_are_read() -> None:
    warning, error, recommendation = parse_diagnostics(DIAGNOSTICS)
    assert (warning.severity, warning.message, warning.path, warning.file, warning.line, warning.column) == (
        "Warning", "unknown field: nme", "resources.jobs.j", "databricks.yml", 7, 9,
    )  # fmt: skip
    assert (error.file, error.line) == ("resources/a b.yml", 3)
    assert "It is used twice." in error.detail
    assert recommendation.message == "name an owner"
    assert parse_diagnostics("Uploading...\n") == ()


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("Error: Failed to acquire deployment lock: deploy lock acquired by a@b.c at 2026", FailureReason.LOCKED),
        ("Error: x: no such target. Available targets: dev", FailureReason.FLOW_MISMATCH),
        ("Error: please specify target", FailureReason.FLOW_MISMATCH),
        ("Error: cannot create: You may not. (403 PERMISSION_DENIED)\n\nHTTP Status: 403 Forbidden", FailureReason.AUTH_FAILED),
        ("Error: default auth: cannot configure default credentials", FailureReason.AUTH_FAILED),
        ('Error: Get "http://127.0.0.1:1": dial tcp: connect: connection refused', FailureReason.OUTSIDE_TROUBLE),
        ("Error: something else", FailureReason.DEPLOY_FAILED),
        ("", FailureReason.DEPLOY_FAILED),
    ],
)
def test_known_messages_have_their_reason(stderr: str, reason: FailureReason) -> None:
    error = explain_failure(["bundle", "deploy"], stderr, FailureReason.DEPLOY_FAILED)
    assert error.reason is reason
    assert error.fix


def test_the_place_of_an_error_is_in_the_cause() -> None:
    error = explain_failure(["bundle", "validate"], json.loads(json.dumps(DIAGNOSTICS)), FailureReason.VALIDATION_FAILED)
    assert error.cause == "`databricks bundle validate` failed: resources/a b.yml:3:5: reference does not exist: ${var.catalgo}"
