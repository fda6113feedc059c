"""References: what is put in is what stood there, circles and dead ends are named, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import from_plain
from rehearsal.databricks_cli.interpolation import resolve
from rehearsal.databricks_cli.references import UNKNOWN, resolve_state, substitute
from rehearsal.databricks_cli.schema import REFERENCE, load_schema

WORD = st.from_regex(r"[a-z](_?[a-z0-9]){0,6}", fullmatch=True)
PLAIN_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=20)
SCALAR = st.one_of(PLAIN_TEXT, st.integers(-(10**9), 10**9), st.booleans())
VALUE: st.SearchStrategy[Any] = st.recursive(
    SCALAR, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORD, inner, max_size=3)), max_leaves=6
)


def resolved(config: dict[str, Any]) -> Any:
    return resolve(from_plain(config)).plain()


@given(WORD, VALUE)
def test_a_whole_reference_becomes_the_value_itself(name: str, value: Any) -> None:
    config = {"variables": {name: {"value": value}}, "resources": {"x": f"${{var.{name}}}"}}
    assert resolved(config)["resources"]["x"] == value


@given(WORD, PLAIN_TEXT, PLAIN_TEXT, PLAIN_TEXT)
def test_a_reference_in_a_text_is_replaced_in_place(name: str, before: str, value: str, after: str) -> None:
    config = {"variables": {name: {"value": value}}, "resources": {"x": f"{before}${{var.{name}}}{after}"}}
    assert resolved(config)["resources"]["x"] == before + value + after


@given(st.lists(WORD, min_size=1, max_size=8, unique=True), PLAIN_TEXT)
def test_a_chain_of_variables_leads_to_its_end(names: list[str], end: str) -> None:
    values = [f"${{var.{name}}}" for name in names[1:]] + [end]
    config = {
        "variables": {name: {"value": value} for name, value in zip(names, values, strict=True)},
        "resources": {"x": f"${{var.{names[0]}}}"},
    }
    assert resolved(config)["resources"]["x"] == end


@given(st.lists(WORD, min_size=1, max_size=6, unique=True))
def test_a_circle_is_named_and_ends(names: list[str]) -> None:
    following = [*names[1:], names[0]]
    config = {"variables": {name: {"value": f"a ${{var.{after}}}"} for name, after in zip(names, following, strict=True)}}
    with pytest.raises(CommandError, match="cycle detected in field resolution"):
        resolved(config)


@given(VALUE)
def test_what_has_no_reference_stays_as_it_is(value: Any) -> None:
    assert resolved({"resources": {"x": value}})["resources"]["x"] == value


@pytest.mark.parametrize("text", ["${resources.jobs.a.id}", "${secrets.x}", "$ {var.x}", "${var.}", "${}", "{{job.id}}", "$${x}"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert resolved({"variables": {}, "resources": {"x": text}})["resources"]["x"] == text


def test_a_field_that_was_not_set_is_empty_and_one_that_does_not_exist_is_refused() -> None:
    assert resolved({"bundle": {"name": "b"}, "resources": {"x": "<${bundle.git.branch}>"}})["resources"]["x"] == "<>"
    with pytest.raises(CommandError, match=r"reference does not exist: \$\{bundle.nothing\}"):
        resolved({"bundle": {"name": "b"}, "resources": {"x": "${bundle.nothing}"}})
    with pytest.raises(CommandError, match=r"reference does not exist: \$\{var.missing\}"):
        resolved({"bundle": {"name": "b"}, "resources": {"x": "${var.missing}"}})


def test_a_mapping_inside_a_text_is_refused() -> None:
    config = {"variables": {"box": {"value": {"a": 1}}}, "resources": {"x": "in ${var.box}"}}
    with pytest.raises(CommandError, match="cannot interpolate non-string value"):
        resolved(config)


@given(WORD, WORD, PLAIN_TEXT)
def test_references_to_resources_wait_until_their_value_is_known(key: str, field: str, value: str) -> None:
    text = f"a ${{resources.jobs.{key}.{field}}} z"
    assert REFERENCE.search(text)
    assert substitute(text, lambda _node, _path: UNKNOWN) is UNKNOWN
    assert substitute(text, lambda _node, _path: value) == f"a {value} z"


def test_a_number_stays_a_number_and_is_zero_until_it_is_known() -> None:
    template = {"name": "n ${resources.jobs.a.id}", "max_concurrent_runs": "${resources.jobs.a.id}"}
    schema = load_schema()
    unknown = resolve_state(template, "#resource.jobs", schema, lambda _node, _path: UNKNOWN)
    assert unknown.value == {"name": "n ${resources.jobs.a.id}", "max_concurrent_runs": 0}
    assert unknown.variables == template
    known = resolve_state(template, "#resource.jobs", schema, lambda _node, _path: "7")
    assert (known.value, known.variables) == ({"name": "n 7", "max_concurrent_runs": 7}, {})
