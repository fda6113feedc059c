"""Dynamic value references are replaced, and those without a value are refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.workspace.jobs.references import UnknownReference, Values, resolve

VALUES = Values(
    names={"job.id": "12", "task.name": "train", "workspace.url": "http://127.0.0.1"},
    parameters={"day": "monday", "from": "{{job.start_time.iso_date}}"},
    tasks={"prepare": {"result_state": "success", "values": {"n": {"x": [1, 2]}, "text": "a"}}},
    start_ms=1_700_000_000_000,
    trigger_ms=1_700_000_000_000,
    input={"region": "eu", "sizes": [3, 4]},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{job.id}}", "12"),
        ("{{ job.id }}/{{task.name}}", "12/train"),
        ("{{job_id}}", "12"),
        ("{{job.parameters.day}}", "monday"),
        ("{{job.parameters.from}}", "2023-11-14"),
        ("{{job.start_time.iso_datetime}}", "2023-11-14T22:13:20"),
        ("{{job.trigger.timestamp_ms}}", "1700000000000"),
        ("{{tasks.prepare.values.n}}", '{"x": [1, 2]}'),
        ("{{tasks.prepare.values.n.x.1}}", "2"),
        ('{{tasks."prepare".values.text}}', "a"),
        ("{{tasks.prepare.result_state}}", "success"),
        ("{{input.region}}", "eu"),
        ("{{input.sizes[0]}}", "3"),
        ("{{input}}", '{"region": "eu", "sizes": [3, 4]}'),
        ("no reference", "no reference"),
    ],
)
def test_a_reference_becomes_its_value(text: str, expected: str) -> None:
    assert resolve(text, VALUES) == expected


def test_lists_and_mappings_are_walked_and_keys_stay() -> None:
    assert resolve({"{{job.id}}": ["{{job.id}}", 3, {"a": "{{task.name}}"}]}, VALUES) == {"{{job.id}}": ["12", 3, {"a": "train"}]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{job.parameters.night}}", "day, from"),
        ("{{tasks.other.values.x}}", "not upstream"),
        ("{{tasks.prepare.values.y}}", "n, text"),
        ("{{something.else}}", "something.else"),
        ("{{input.none}}", "none"),
    ],
)
def test_a_reference_without_a_value_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(UnknownReference, match=words):
        resolve(text, VALUES)


def test_there_is_no_input_outside_of_a_for_each() -> None:
    with pytest.raises(UnknownReference):
        resolve("{{input}}", Values())


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_braces_is_left_as_it_is(text: str) -> None:
    assert resolve(text, Values()) == text


@given(st.text(alphabet=st.characters(exclude_characters="{}", exclude_categories=["Cs"])))
def test_a_value_is_put_in_as_it_is(value: str) -> None:
    assert resolve("<{{job.id}}>", Values(names={"job.id": value})) == f"<{value}>"
