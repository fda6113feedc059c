"""What two deployments of one bundle would share, kind by kind, and what may be shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundleflow import records
from bundleflow.adapters.workspace_contents import REMOVABLE
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.releases.isolation import IDENTITY, PROBES, WRITTEN, check_lock, shared

ROOT = "/Workspace/Deployments/iris"


def bundle(suffix: str, resources: dict[str, Any]) -> dict[str, Any]:
    """A resolved bundle; `@` in a text is the suffix."""
    root = f"{ROOT}/test{suffix}"
    folders = {"root_path": root} | {f"{name}_path": f"{root}/{name}" for name in ("file", "artifact", "state", "resource")}
    return {"workspace": folders, "resources": json.loads(json.dumps(resources).replace("@", suffix)), "variables": {"suffix": {}}}


def places(resources: dict[str, Any]) -> list[str]:
    first, second = (bundle(suffix, resources) for suffix in PROBES)
    return [each.place for each in shared(first, second)]


@pytest.mark.parametrize("kind", IDENTITY)
def test_each_kind_is_shared_by_its_name_and_not_when_the_name_holds_the_suffix(kind: str) -> None:
    fields = IDENTITY[kind]
    assert places({kind: {"x": dict.fromkeys(fields, "same")}}) == [f"resources.{kind}.x.{fields[-1]}"]
    for own in fields:
        assert places({kind: {"x": {**dict.fromkeys(fields, "same"), own: "own@"}}}) == []


def test_the_list_has_every_kind_that_a_bundle_can_have() -> None:
    fields = json.loads((Path(records.__file__).parent.parent / "bundle-fields.json").read_text())
    known = fields["properties"]["resources"]
    while "$ref" in known:
        known = fields["$defs"][known["$ref"].rpartition("/")[2]]
    assert set(known["properties"]) <= set(IDENTITY)
    assert set(WRITTEN) <= set(IDENTITY)
    assert set(IDENTITY) >= REMOVABLE


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"new_kind": {"x": {"name": "same"}}}, ["resources.new_kind.x.name"]),
        ({"new_kind": {"x": {"size": 3}}}, ["resources.new_kind.x"]),
        ({"new_kind": {"x": {"title": "own@"}}}, []),
        (
            {
                "schemas": {"s": {"catalog_name": "c", "name": "iris@"}},
                "volumes": {"v": {"catalog_name": "c", "schema_name": "${resources.schemas.s.name}", "name": "files"}},
            },
            [],
        ),
        (
            {"volumes": {"v": {"catalog_name": "c", "schema_name": "s@", "name": "v", "storage_location": "s3://b/x"}}},
            ["resources.volumes.v.storage_location"],
        ),
        ({"pipelines": {"p": {"name": "p@", "catalog": "c", "schema": "s"}}}, ["resources.pipelines.p.schema"]),
        ({"pipelines": {"p": {"name": "p@", "catalog": "c", "schema": "s@"}}}, []),
        (
            {
                "model_serving_endpoints": {
                    "e": {"name": "e@", "ai_gateway": {"inference_table_config": {"catalog_name": "c", "schema_name": "s"}}}
                }
            },
            ["resources.model_serving_endpoints.e.ai_gateway.inference_table_config"],
        ),
        ({"job_runs": {"r": {"job_id": "${resources.jobs.j.id}"}}, "jobs": {"j": {"name": "j@"}}}, []),
        # What may be shared: compute that exists, catalogs, what is read, who it runs as.
        (
            {
                "jobs": {
                    "j": {
                        "name": "j@",
                        "run_as": {"service_principal_name": "sp"},
                        "parameters": [{"name": "catalog", "default": "c"}, {"name": "source_schema", "default": "raw"}],
                        "tasks": [
                            {
                                "existing_cluster_id": "1",
                                "sql_task": {"warehouse_id": "w"},
                                "notebook_task": {"notebook_path": "/Workspace/x"},
                            }
                        ],
                    }
                }
            },
            [],
        ),
        # A parameter that names the bundle's own schema without its suffix.
        (
            {
                "schemas": {"s": {"catalog_name": "c", "name": "iris@"}},
                "jobs": {
                    "j": {
                        "name": "j@",
                        "tasks": [{"notebook_task": {"base_parameters": {"schema": "iris", "project": "iris", "table": "c.iris.flowers"}}}],
                    }
                },
            },
            [
                "resources.jobs.j.tasks[0].notebook_task.base_parameters.schema",
                "resources.jobs.j.tasks[0].notebook_task.base_parameters.table",
            ],
        ),
        (
            {
                "experiments": {"e": {"name": "/a/test@/x"}},
                "jobs": {"j": {"name": "j@", "parameters": [{"name": "to", "default": "/a/test/x"}]}},
            },
            ["resources.jobs.j.parameters.to"],
        ),
    ],
)
def test_what_is_shared(resources: dict[str, Any], expected: list[str]) -> None:
    assert places(resources) == expected


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, False),
        ({"mode": "development"}, True),
        ({"mode": "development", "deployment": {"lock": {"enabled": True}}}, False),
        ({"deployment": {"lock": {"enabled": False}}}, True),
    ],
)
def test_the_lock_must_be_on(settings: dict[str, Any], refused: bool) -> None:
    if not refused:
        check_lock({"bundle": settings}, "test")
        return
    with pytest.raises(BundleflowError, match="without a lock") as told:
        check_lock({"bundle": settings}, "test")
    assert told.value.reason is FailureReason.NOT_ISOLATED
