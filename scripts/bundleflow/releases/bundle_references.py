"""References of a bundle's YAML that lead nowhere, as far as that can be seen without a workspace.

Source of what exists: Databricks' page "Substitutions and variables in bundles"; the CLI resolves `bundle`, `workspace`, `var` and
`resources`, refuses what it does not find there, and deploys any other `${a.b}` as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from bundleflow.records.finding import Finding
from bundleflow.records.schema_problems import did_you_mean
from bundleflow.records.yaml_source import Path, YamlProblem
from bundleflow.releases.bundle_yaml import BundleFiles, finding_at, known_fields

# `${HOME}` has no dot and belongs to a shell.
REFERENCE = re.compile(r"\$\{([A-Za-z_][\w-]*(?:\.[\w-]+(?:\[\d+\])*)+)\}")
PARTS = ("bundle", "workspace", "variables", "resources", "permissions", "presets", "run_as")
"""Parts of a bundle, and of a target, whose references are looked at; scripts and builds have a shell's own `${...}`."""
MADE_BY_THE_CLI = {"bundle": ("target", "environment"), "workspace": ("current_user",)}


def check_references(bundle: BundleFiles, root: FilePath) -> Iterator[Finding]:
    """References to variables, fields and resources that the bundle does not have.

    Args:
        bundle: The bundle's files.
        root: The repository's root; findings name files relative to it.
    """
    known = _Known(bundle)
    for file, source in bundle.sources.items():
        for path, text in _texts(source.data, ()):
            for found in REFERENCE.finditer(text):
                fix = known.problem(found[1])
                if fix is not None:
                    cause = f"`{found[0]}` leads nowhere"
                    yield finding_at(file, root, YamlProblem(source.values.get(path) or source.at(path), cause, fix), "reference")


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """The texts in the parts that are looked at, with their places."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))
    elif isinstance(value, dict):
        # At the top and at the top of a target, some parts only.
        at_top = not path or (len(path) == 2 and path[0] == "targets")
        for key, each in value.items():
            if not at_top or key in PARTS or (not path and key == "targets"):
                yield from _texts(each, (*path, key))


class _Known:
    """What a bundle's references can lead to."""

    def __init__(self, bundle: BundleFiles) -> None:
        self.bundle = bundle
        fields = known_fields()["properties"]
        self.fields = {name: {*fields[name]["properties"], *made} for name, made in MADE_BY_THE_CLI.items()}
        self.variables = bundle.keys("variables")
        self.has_python = bundle.has_python

    def problem(self, reference: str) -> str | None:
        """What to do about a reference that leads nowhere; None for one that is right, or that only the CLI can judge."""
        first, second, *more = reference.partition("[")[0].split(".")
        if first in ("var", "variables"):
            return self._missing(second, self.variables, "var.", "Declare it under `variables:`.")
        if first in self.fields:
            return self._missing(second, self.fields[first], f"{first}.", "There is no such field.")
        if first != "resources":
            return (
                "Correct its name: `bundle`, `workspace`, `var` and `resources` exist. The Databricks CLI would deploy this text as it is."
            )
        if self.has_python or not more:
            return None
        return self._missing(more[0], self.bundle.resources(second), f"resources.{second}.", "The bundle has no such resource.")

    @staticmethod
    def _missing(name: str, known: set[str], prefix: str, otherwise: str) -> str | None:
        if name in known:
            return None
        return did_you_mean(name, sorted(known)).replace("`", f"`{prefix}", 1) or otherwise
