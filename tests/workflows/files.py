"""Every workflow and action of the repository, and of its templates as they are rendered, parsed once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bundleflow.records.yaml_source import YamlSource, parse_yaml
from bundleflow.templates_callers import jinja_environment, pinned
from bundleflow.templates_project import questions

ROOT = Path(__file__).resolve().parents[2]
KIT = "bundleflow/bundleflow"
SHA = "0123456789abcdef0123456789abcdef01234567"
ANSWERS = {"project_name": "iris", "package_name": "iris", "workspace_folder": "/Deployments"}


@dataclass(frozen=True)
class YamlFile:
    """One workflow or action.

    Args:
        name: Path relative to the repository's root.
        text: Its content, rendered.
        source: The same, parsed.
    """

    name: str
    text: str
    source: YamlSource

    @property
    def data(self) -> dict[str, Any]:
        return self.source.data

    @property
    def is_action(self) -> bool:
        return "runs" in self.data

    @property
    def is_template(self) -> bool:
        return self.name.startswith("templates/")

    @property
    def call(self) -> dict[str, Any] | None:
        """What `on: workflow_call` says; None when nobody can call this workflow."""
        triggers = self.triggers
        return (triggers["workflow_call"] or {}) if "workflow_call" in triggers else None

    @property
    def triggers(self) -> dict[str, Any]:
        on = self.data.get("on", {})
        return {on: None} if isinstance(on, str) else dict.fromkeys(on) if isinstance(on, list) else on

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return self.data.get("jobs", {})

    @property
    def steps(self) -> list[tuple[tuple[str | int, ...], dict[str, Any]]]:
        """Each step with its place, of all jobs or of the action."""
        if self.is_action:
            return [(("runs", "steps", index), step) for index, step in enumerate(self.data["runs"].get("steps", []))]
        return [
            (("jobs", name, "steps", index), step) for name, job in self.jobs.items() for index, step in enumerate(job.get("steps", []))
        ]

    def line(self, place: tuple[str | int, ...]) -> str:
        """The text of the line on which the key or value at `place` stands."""
        return self.text.splitlines()[self.source.at(place).line - 1]


def parse(name: str, text: str) -> YamlFile:
    return YamlFile(name, text, parse_yaml(text))


def render(name: str) -> str:
    """A file of a template, with each question's default and the kit's own coordinates filled in."""
    if not name.startswith("templates/"):
        return (ROOT / name).read_text(encoding="utf-8")
    template = name.split("/")[1]
    defaults = {key: question["default"] for key, question in questions().items() if "<" not in str(question["default"])}
    answers = defaults | ANSWERS | {"template": template} | pinned(SHA)
    return jinja_environment(ROOT).get_template(name).render(answers)


@cache
def all_files() -> tuple[YamlFile, ...]:
    patterns = (
        ".github/workflows/*.y*ml",
        "action.y*ml",
        "actions/*/action.y*ml",
        "templates/*/**/workflows/*.y*ml",
        "templates/*/**/workflows/*.y*ml*.jinja",
        "templates/*/**/action.y*ml*",
    )
    found = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
    names = [path.relative_to(ROOT).as_posix() for path in found]
    # A file that not every project has is named by a condition; here it stands under the name that it gets.
    return tuple(parse(re.sub("<%%.*?%%>", "", name), render(name)) for name in names)
