"""Plays one recorded case of bundle commands: the format is described in tests/contract/cases/README.md."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import yaml
from cli_placeholders import Placeholders
from cli_proxy import Call, RecordingProxy
from cli_texts import chosen, tidy

ASPECTS = ("exit", "stdout", "stderr", "calls", "files")
STATE_FILES = ("resources.json", "deployment.json", "metadata.json")
STEP_SECONDS = 60
_IMPORT = "/api/2.0/workspace-files/import-file/"


class Case:
    """One case in a folder of its own, behind a recording proxy."""

    def __init__(self, source: Path, folder: Path, cli: list[str], proxy: RecordingProxy) -> None:
        self.source, self.cli, self.proxy = source, cli, proxy
        self.spec: dict[str, Any] = yaml.safe_load((source / "case.yaml").read_text("utf-8"))
        self.base = folder.resolve()
        self.bundle, self.home, self.kept = self.base / "bundle", self.base / "home", self.base / "work"
        for place in (self.bundle, self.home, self.kept, self.base / "tmp"):
            place.mkdir()
        self._lay("bundle")
        files = [p for p in source.rglob("*") if p.is_file() and "expected" not in p.relative_to(source).parts]
        self.names = Placeholders("".join(p.read_text("utf-8", errors="ignore") for p in sorted(files)))
        self.token = f"contract-{source.name}"
        self._know_names()
        if "git" in self.spec:
            self._make_repository(self.spec["git"] or {})
        proxy.answers = [dict(order) for order in self.spec.get("faults", [])]

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Play all steps; return step and aspect → (recorded, now) for everything that differs."""
        found: dict[str, tuple[Any, Any]] = {}
        for number, step in enumerate(self.spec["steps"], 1):
            self._change_files(step)
            if "api" in step:
                self._send(step)
                continue
            label = f"{number:02d}-{step.get('name', 'step')}"
            expected = yaml.safe_load((self.source / "expected" / f"{label}.yaml").read_text("utf-8"))
            actual = self._play(step)
            for aspect in step.get("compare", ASPECTS):
                left, right = expected.get(aspect), actual[aspect]
                if aspect == "calls":
                    left, right = sorted(left or [], key=_canonical), sorted(right, key=_canonical)
                if _canonical(left) != _canonical(right):
                    found[f"{label} {aspect}"] = (left, right)
        return found

    def _know_names(self) -> None:
        me = self._request("GET", "/api/2.0/preview/scim/v2/Me")
        self.user = str(me["userName"])
        for text, placeholder in (
            (str(self.bundle), "[BUNDLE]"), (str(self.kept), "[WORK]"), (str(self.home), "[HOME]"), (str(self.base), "[TMP]"),
            (self.proxy.url, "[HOST]"), (self.proxy.url.removeprefix("http://"), "[HOSTNAME]"), (self.token, "[TOKEN]"),
        ):  # fmt: skip
            self.names.texts[text] = placeholder
        config = self._request("GET", "/.well-known/databricks-config")
        self.names.know_user(self.user, str(me["id"]), str(config["workspace_id"]))

    def _lay(self, layer: str) -> None:
        for path in sorted((self.source / layer).rglob("*")):
            parts = [re.sub(r"^_dot_", ".", part) for part in path.relative_to(self.source / layer).parts]
            target = self.bundle.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                shutil.copyfile(path, target)

    def _make_repository(self, git: dict[str, Any]) -> None:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1"}
        who = ["-c", "user.name=Contract", "-c", "user.email=contract@example.com"]
        remote = [["remote", "add", "origin", git["remote"]]] if git.get("remote") else []
        commit = [*who, "commit", "-q", "--no-gpg-sign", "-m", "first"]
        for command in (["init", "-q", "-b", git.get("branch", "main")], *remote, ["add", "-A"], commit):
            subprocess.run(["git", *command], cwd=self.bundle, env=env, check=True, capture_output=True, timeout=30)

    def _change_files(self, step: dict[str, Any]) -> None:
        if "overlay" in step:
            self._lay(step["overlay"])
        for pattern in step.get("delete", []):
            for path in list(self.bundle.glob(pattern)):
                path.unlink()

    def _environment(self, step: dict[str, Any]) -> dict[str, str]:
        env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        env |= {
            "HOME": str(self.home), "TMPDIR": str(self.base / "tmp"), "TZ": "UTC", "NO_COLOR": "1",
            "DATABRICKS_HOST": self.proxy.url, "DATABRICKS_TOKEN": self.token, "DATABRICKS_CONFIG_FILE": os.devnull,
            "DATABRICKS_CACHE_DIR": str(self.base / "cache"), "DATABRICKS_CLI_DISABLE_TELEMETRY": "1",
        }  # fmt: skip
        for name, value in ((self.spec.get("env") or {}) | (step.get("env") or {})).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = str(value)
        return env

    def _start(self, argv: list[str], step: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
        command = [*self.cli, *(str(self._fill(word, {})) for word in argv)]
        limit = step.get("stop_after", step.get("timeout", STEP_SECONDS))
        folder, env = self.bundle / step.get("cwd", "."), self._environment(step)
        return subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)

    def _play(self, step: dict[str, Any]) -> dict[str, Any]:
        orders = len(self.proxy.answers)
        self.proxy.answers += [dict(order) for order in step.get("faults", [])]
        self.proxy.take()
        exit_code: Any
        try:
            done = self._start(step["argv"], step)
            exit_code, stdout, stderr = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            assert "stop_after" in step, f"{step['name']} took too long"
            exit_code, stdout, stderr = "still running", late.stdout or b"", late.stderr or b""
        calls = self.proxy.take()
        del self.proxy.answers[orders:]
        if "save_stdout" in step:
            (self.kept / step["save_stdout"]).write_bytes(stdout)
        for call in calls:
            self.names.learn(call)
        return {"exit": exit_code, "stdout": self._stdout(stdout.decode()), **self._rest(step, stderr.decode(), calls)}

    def _stdout(self, text: str) -> Any:
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        return self.names.value(parsed) if isinstance(parsed, (dict, list)) else tidy(self.names.text(text))

    def _rest(self, step: dict[str, Any], stderr: str, calls: list[Call]) -> dict[str, Any]:
        shown = chosen(tidy(self.names.text(stderr)), step.get("stderr"))
        # First names, then numbers: what is numbered is numbered in an order that does not depend on timing.
        changing = sorted((call for call in calls if _is_change(call)), key=lambda c: re.sub(r"\d{9,}|[0-9a-f-]{36}", "", f"{c}"))
        uploads = [call for call in calls if _uploaded(call) and not _is_lock(call) and call.status < 300]
        described = sorted((self._describe(call) for call in changing), key=_canonical)
        files: list[Any] = sorted({self._describe_file(call) for call in uploads})
        if step.get("state"):
            files += self._states(uploads)
        return {"stderr": shown, "calls": described, "files": files}

    def _describe(self, call: Call) -> dict[str, Any]:
        request = f"{call.method} {self.names.text(unquote(call.path))}"
        if query := sorted(parse_qsl(call.query, keep_blank_values=True)):
            request += "?" + "&".join(self.names.text(f"{name}={value}") for name, value in query)
        body = {"body": self.names.value(json.loads(call.body))} if call.body else {}
        return {"request": request} | body | ({"status": call.status} if call.status >= 300 else {})

    def _describe_file(self, call: Call) -> str:
        path = _uploaded(call)
        name = path.rsplit("/", 1)[-1]
        if ("/state/" in path and name in STATE_FILES) or any(fnmatch.fnmatch(name, p) for p in self.spec.get("no_digest", [])):
            return self.names.text(path)
        content = self.names.text(call.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return f"{self.names.text(path)} {hashlib.sha256(content).hexdigest()[:12]}"

    def _states(self, uploads: list[Call]) -> list[dict[str, Any]]:
        last: dict[str, Any] = {}
        for call in uploads:
            path = _uploaded(call)
            if "/state/" in path and path.rsplit("/", 1)[-1] in STATE_FILES:
                content = json.loads(call.body)
                if isinstance(content.get("files"), list):
                    content["files"].sort(key=_canonical)
                last[self.names.text(path)] = self.names.value(content)
        return [{"state_file": path, "content": content} for path, content in sorted(last.items())]

    def _send(self, step: dict[str, Any]) -> None:
        """Send a request as somebody else would; ids come from the summary."""
        api = step["api"]
        ids: dict[str, str] = {}
        if "ids." in _canonical(api):
            summary = json.loads(self._start(["bundle", "summary", "-o", "json"], step).stdout)
            items = ((group, key, item) for group, entries in summary["resources"].items() for key, item in entries.items())
            ids = {f"{group}.{key}": str(item["id"]) for group, key, item in items if "id" in item}
        self._request(api["method"], str(self._fill(api["path"], ids)), self._fill(api.get("body"), ids))
        self.proxy.take()

    def _fill(self, value: Any, ids: dict[str, str]) -> Any:
        if isinstance(value, dict):
            return {name: self._fill(item, ids) for name, item in value.items()}
        if isinstance(value, list):
            return [self._fill(item, ids) for item in value]
        if not isinstance(value, str):
            return value
        if whole := re.fullmatch(r"\$\{int:ids\.([\w.-]+)\}", value):
            return int(ids[whole[1]])
        for name, text in (
            ("WORK", str(self.kept)),
            ("USER", getattr(self, "user", "")),
            ("BUNDLE", str(self.bundle)),
            ("HOST", self.proxy.url),
        ):
            value = value.replace(f"${{{name}}}", text)
        return re.sub(r"\$\{ids\.([\w.-]+)\}", lambda hit: ids[hit[1]], value)

    def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        import urllib.request

        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.proxy.url + quote(path, safe="/?=&@%:+"), data=data, method=method, headers=headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as reply:
            raw = reply.read()
        parsed = json.loads(raw) if raw.strip() else {}
        return parsed if isinstance(parsed, dict) else {}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _uploaded(call: Call) -> str:
    if call.method == "POST" and call.path.startswith(_IMPORT):
        return "/" + unquote(call.path[len(_IMPORT) :]).lstrip("/")
    return ""


def _is_lock(call: Call) -> bool:
    return _uploaded(call).endswith("/deploy.lock") or (call.path.endswith("/workspace/delete") and b"deploy.lock" in call.body)


def _is_change(call: Call) -> bool:
    if call.method == "GET" or _is_lock(call) or _uploaded(call):
        return False
    return not call.path.endswith(("/workspace/mkdirs", "/telemetry-ext")) and "/oidc/" not in call.path
