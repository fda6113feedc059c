"""A program that looks like the Databricks CLI for the tests of the kit's commands: answers from a folder, remembers its calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path
folder = Path({folder!r})
argv = sys.argv[1:]
target = argv[argv.index("-t") + 1] if "-t" in argv else "default"
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps({{"argv": argv, "suffix": os.environ.get("BUNDLE_VAR_suffix"), "token": "GITHUB_TOKEN" in os.environ}}) + "\\n")
for name in (f"{{argv[1]}}-{{target}}", argv[1]):
    answer = folder / f"{{name}}.json"
    if answer.exists():
        data = json.loads(answer.read_text())
        sys.stderr.write(data.get("stderr", ""))
        if data.get("stdout") is not None:
            text = json.dumps(data["stdout"])
            print(text.replace("@SUFFIX@", os.environ.get("BUNDLE_VAR_suffix", "")))
        sys.exit(data.get("exit", 0))
"""


class FakeCli:
    """The program and its answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cli"
        self.folder.mkdir()
        self.path = self.folder / "databricks"
        self.path.write_text(PROGRAM.format(python=sys.executable, folder=str(self.folder)))
        self.path.chmod(0o755)
        user = {"userName": "11111111-2222-4333-8444-555555555555", "short_name": "some-sp"}
        self.workspace = {"current_user": user, "root_path": "/Workspace/Shared/iris@SUFFIX@"}
        self.answer("validate", {"workspace": self.workspace})
        self.answer(
            "summary", {"workspace": self.workspace, "resources": {"jobs": {"model_training": {"id": "42", "name": "train@SUFFIX@"}}}}
        )
        self.plan({"resources.jobs.model_training": {"action": "create", "new_state": {"value": {"name": "train"}}}})

    def answer(self, command: str, stdout: Any = None, *, stderr: str = "", code: int = 0) -> None:
        """Answer `bundle COMMAND` (or `COMMAND-TARGET` for one target)."""
        (self.folder / f"{command}.json").write_text(json.dumps({"stdout": stdout, "stderr": stderr, "exit": code}))

    def plan(self, entries: dict[str, Any], target: str = "") -> None:
        """Answer `bundle plan`."""
        self.answer(f"plan-{target}" if target else "plan", {"plan_version": 2, "cli_version": "1.13.0", "plan": entries})

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What was called, in order."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def commands(self) -> list[str]:
        """The commands that were called, such as `plan`."""
        return [call["argv"][1] for call in self.calls]
