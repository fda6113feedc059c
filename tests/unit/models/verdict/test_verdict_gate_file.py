"""The gate file: what is understood, what is refused and how that is said; the schema and the own checks agree."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict import load_gate
from bundleflow_models.verdict.gate import load_schema
from bundleflow_models.verdict.schema_subset import KEYWORDS, problems

FULL: dict[str, Any] = {
    "version": 1,
    "problem": "classification",
    "holdout": {
        "table": "{catalog}.{schema}.flowers",
        "rows": {"split": "holdout"},
        "label": "species",
        "key": ["id"],
        "order-by": "day",
        "ignore": ["loaded"],
        "min-rows": 20,
        "slices": ["site"],
    },
    "training": {"rows": {"split": "train"}},
    "primary": "accuracy",
    "metrics": ["f1_macro"],
    "floors": {"accuracy": {"min": 0.9}, "log_loss": {"max": 1}},
    "baseline": {"kinds": ["constant", "previous"], "previous": "yesterday", "candidates": 5, "confidence": 0.9},
    "policy": {"rule": "non-inferior", "eps": 0.01, "confidence": 0.9, "resamples": 500, "seed": 3, "block": 5},
    "checks": {"pinned": "off", "leakage": "if-recorded", "max-duplicates": 0.1, "schema": "any"},
}
LEAST: dict[str, Any] = {"version": 1, "problem": "regression", "holdout": {"label": "y"}, "primary": "mae"}


def changed(**places: Any) -> dict[str, Any]:
    """The least gate with values put in: `policy__eps` is `policy: {eps: }`."""
    data = copy.deepcopy(LEAST)
    for place, value in places.items():
        *folders, key = place.replace("order_by", "order-by").replace("min_rows", "min-rows").split("__")
        inner = data
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[key] = value
    return data


def test_every_key_is_read() -> None:
    gate = load_gate(FULL)
    assert gate.holdout.rows == {"split": "holdout"}
    assert (gate.holdout.key, gate.holdout.order_by, gate.holdout.ignore, gate.holdout.min_rows) == (("id",), "day", ("loaded",), 20)
    assert gate.floors == {"accuracy": 0.9, "log_loss": 1.0}
    assert gate.all_metrics == ("accuracy", "log_loss", "f1_macro")
    assert (gate.baseline.kinds, gate.baseline.previous, gate.baseline.confidence) == (("constant", "previous"), "yesterday", 0.9)
    assert (gate.policy.rule, gate.policy.eps, gate.policy.block, gate.policy.resamples) == ("non-inferior", 0.01, 5, 500)
    assert (gate.checks.pinned, gate.checks.leakage, gate.checks.max_duplicates, gate.checks.schema) == ("off", "if-recorded", 0.1, "any")
    assert gate.table("prod.iris.classifier") == "prod.iris.flowers"
    assert gate.training_table("prod.iris.classifier") == "prod.iris.flowers", "rows alone mean the hold-out's table"


def test_defaults_are_those_of_the_schema() -> None:
    gate, schema = load_gate(LEAST), load_schema()["$defs"]
    assert gate.holdout.min_rows == schema["holdout"]["properties"]["min-rows"]["default"]
    for name, key in [("confidence", "confidence"), ("resamples", "resamples"), ("seed", "seed"), ("rule", "rule"), ("block", "block")]:
        assert getattr(gate.policy, name) == schema["policy"]["properties"][key]["default"]
    assert gate.baseline.confidence == schema["baseline"]["properties"]["confidence"]["default"]
    assert (gate.checks.pinned, gate.checks.leakage, gate.checks.schema) == tuple(
        schema["checks"]["properties"][key]["default"] for key in ("pinned", "leakage", "schema")
    )
    assert load_gate({**LEAST, "problem": "retrieval", "primary": "mrr"}).baseline.kinds == ("random",)
    assert gate.training_table("a.b.c") is None


def test_the_digest_names_the_content() -> None:
    assert load_gate(FULL).sha256 == load_gate(yaml.safe_load(yaml.safe_dump(FULL, sort_keys=True))).sha256
    assert load_gate(changed(policy__seed=8)).sha256 != load_gate(LEAST).sha256


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "`version` is missing"),
        ({**LEAST, "version": 2}, "`version` must be 1"),
        ({**LEAST, "problem": "clustering"}, "`problem` must be one of"),
        ({**LEAST, "primry": "mae"}, "did you mean `primary`"),
        ({**LEAST, "holdout": {}}, "`label` is missing in `holdout`"),
        ({**LEAST, "holdout": []}, "`holdout` must be of type object"),
        (changed(holdout__label=""), "`holdout.label` is empty"),
        (changed(holdout__min_rows=1), "must be at least 2"),
        (changed(holdout__min_rows=True), "must be of type integer"),
        (changed(holdout__key=["a", "a"]), "names something twice"),
        (changed(holdout__rows={"split": None}), "`holdout.rows.split` must be of type"),
        (changed(primary="loss"), "`primary` cannot be 'loss'"),
        (changed(metrics=["hit_at_0"]), "cannot be 'hit_at_0'"),
        (changed(floors={"mae": {}}), "one of them"),
        (changed(floors={"mae": {"min": 1, "max": 2}}), "one of them"),
        (changed(floors={"mae": {"max": "low"}}), "must be of type number"),
        (changed(floors={"speed": {"max": 1}}), "cannot be 'speed'"),
        (changed(policy__confidence=1), "must be at most 0.9999"),
        (changed(policy__resamples=10), "must be at least 200"),
        (changed(baseline__kinds=["oracle"]), "must be one of"),
        (changed(checks={"pinned": "maybe"}), "must be one of"),
    ],
)
def test_own_checks_and_the_json_schema_refuse_the_same(data: dict[str, Any], said: str) -> None:
    schema = load_schema()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(data)
    with pytest.raises(ModelsError) as caught:
        load_gate(data)
    assert said in caught.value.cause
    assert (caught.value.code, caught.value.outcome) == ("gate-invalid", Outcome.MISUSED)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (changed(primary="accuracy"), "`accuracy` is no metric of regression"),
        (changed(floors={"mae": {"min": 1}}), "`floors.mae` needs `max`: less is better"),
        (changed(floors={"r2": {"max": 1}}), "`floors.r2` needs `min`: more is better"),
        (changed(policy__rule="non-inferior"), "`policy.eps` must be more than 0"),
        (changed(policy__eps=0.1), "no meaning under `superior`"),
        (changed(policy__block=5), "needs `holdout.order-by`"),
        (changed(baseline__kinds=["previous"]), "`previous`, which needs"),
        (changed(baseline__kinds=["random"]), "is for retrieval"),
        ({**changed(baseline__kinds=["constant"]), "problem": "retrieval", "primary": "mrr"}, "can only be `random`"),
        (changed(holdout={"label": "y", "ignore": ["y"]}), "`holdout.ignore` has the label"),
        (
            {**changed(baseline__kinds=["previous"], holdout__order_by="day"), "problem": "classification", "primary": "roc_auc"},
            "has no probabilities",
        ),
    ],
)
def test_what_a_schema_cannot_say_is_refused_too(data: dict[str, Any], said: str) -> None:
    jsonschema.Draft202012Validator(load_schema()).validate(data)
    with pytest.raises(ModelsError, match="cannot be used") as caught:
        load_gate(data)
    assert said in caught.value.cause


def test_what_is_valid_by_the_schema_is_valid_here() -> None:
    schema = load_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for data in (FULL, LEAST):
        jsonschema.Draft202012Validator(schema).validate(data)
        assert list(problems(data, schema, schema)) == []


def test_the_schema_uses_no_keyword_that_is_not_understood_here() -> None:
    def keywords(schema: object) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
        inner += [schema.get(key) for key in ("items", "additionalProperties", "propertyNames")]
        return set(schema).union(*(keywords(each) for each in inner))

    assert keywords(load_schema()) <= KEYWORDS


def test_every_key_has_a_description() -> None:
    def silent(schema: dict[str, Any], where: str) -> list[str]:
        found = []
        for key, each in schema.get("properties", {}).items():
            described = each.get("description") or load_schema()["$defs"].get(each.get("$ref", "").rpartition("/")[2], {}).get(
                "description"
            )
            found += silent(each, f"{where}.{key}") + ([] if described else [f"{where}.{key}"])
        return found

    schema = load_schema()
    assert [*silent(schema, ""), *(line for name, each in schema["$defs"].items() for line in silent(each, name))] == []


def test_a_file_that_is_no_yaml_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text("a: [")
    (tmp_path / "list.yml").write_text("- 1")
    for name, said in (("broken.yml", "cannot be read"), ("none.yml", "cannot be read"), ("list.yml", "not a mapping")):
        with pytest.raises(ModelsError) as caught:
            load_gate(tmp_path / name)
        assert said in caught.value.cause
        assert name in caught.value.cause


def test_a_place_in_a_tables_name_needs_a_full_name() -> None:
    with pytest.raises(ModelsError, match="three parts"):
        load_gate(FULL).table("classifier")
