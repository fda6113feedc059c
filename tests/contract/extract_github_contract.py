"""Cuts what the imitated GitHub is held to out of GitHub's published description of its REST API; writes `github_contract.json`.

Needed only when endpoints are added:

    npm install --prefix /tmp/description @octokit/openapi
    .venv/bin/python tests/contract/extract_github_contract.py \
        /tmp/description/node_modules/@octokit/openapi/generated/api.github.com.json
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from rehearsal.github.app import ENDPOINTS

TARGET = Path(__file__).with_name("github_contract.json")
SOURCE = (
    "GitHub's published description of its REST API, npm package @octokit/openapi 23.0.2 "
    "(MIT License, Copyright (c) 2020 Octokit contributors)"
)
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


class Extractor:
    """Turns OpenAPI schemas into small JSON Schemas: types, required fields, allowed values, times."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        self.definitions: dict[str, Any] = {}

    def resolve(self, thing: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in thing:
            return thing
        found: Any = self.description
        for part in thing["$ref"].split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def schema(self, given: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in given:
            name = given["$ref"].split("/")[-1]
            if name not in self.definitions:
                self.definitions[name] = {}
                self.definitions[name] = self.schema(self.resolve(given))
            return {"$ref": f"#/$defs/{name}"}
        small: dict[str, Any] = {key: given[key] for key in ("type", "required", "enum") if key in given}
        if "properties" in given:
            small["properties"] = {name: self.schema(each) for name, each in given["properties"].items()}
        if isinstance(given.get("items"), dict):
            small["items"] = self.schema(given["items"])
        for key in ("anyOf", "oneOf", "allOf"):
            if key in given:  # In the description several of a `oneOf` fit as often as not.
                small["anyOf" if key == "oneOf" else key] = [self.schema(each) for each in given[key]]
        if given.get("format") == "date-time":
            small["pattern"] = TIME
        return {"anyOf": [small, {"type": "null"}]} if given.get("nullable") else small

    def body_fields(self, given: dict[str, Any]) -> set[str]:
        schema = self.resolve(given)
        names = set(schema.get("properties", {}))
        for key in ("anyOf", "oneOf", "allOf"):
            for each in schema.get(key, []):
                names |= self.body_fields(each)
        return names

    def endpoint(self, path: str, method: str) -> dict[str, Any]:
        operation = self.description["paths"][path][method]
        responses: dict[str, Any] = {}
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                content = self.resolve(response).get("content", {}).get("application/json")
                responses[status] = self.schema(content["schema"]) if content else None
        parameters = [
            self.resolve(each) for each in [*operation.get("parameters", []), *self.description["paths"][path].get("parameters", [])]
        ]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        return {
            "body": sorted(self.body_fields(body)),
            "query": sorted(each["name"] for each in parameters if each["in"] == "query"),
            "responses": responses,
        }


def plain(path: str) -> str:
    """Give a path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def main(source: Path) -> None:
    extractor = Extractor(json.loads(source.read_text(encoding="utf-8")))
    known = {plain(path): path for path in extractor.description["paths"]}
    endpoints = {}
    for each in ENDPOINTS:
        path = known.get(plain(each.full_path))
        if path:
            endpoints[f"{each.method} {each.full_path}"] = extractor.endpoint(path, each.method.lower())
    lines = ["{", f'"source": {json.dumps(SOURCE)},', '"endpoints": {']
    lines.append(",\n".join(f"{json.dumps(name)}: {json.dumps(endpoints[name], separators=(',', ':'))}" for name in sorted(endpoints)))
    lines += ["},", '"$defs": {']
    lines.append(
        ",\n".join(f"{json.dumps(name)}: {json.dumps(each, separators=(',', ':'))}" for name, each in sorted(extractor.definitions.items()))
    )
    TARGET.write_text("\n".join([*lines, "}", "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
