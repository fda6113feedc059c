"""Reading and merging YAML: nothing is lost, positions stay true, and a merge means the same in any grouping."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import from_plain, to_plain, walk
from rehearsal.databricks_cli.merge import merge, merge_by_key
from rehearsal.databricks_cli.yamltree import load_text

KEY = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
SCALAR = st.one_of(st.text("ab \n:#-'\"é", max_size=8), st.integers(-999, 999), st.booleans())
VALUE: st.SearchStrategy[Any] = st.recursive(
    SCALAR, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)), max_leaves=8
)
MAPS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(KEY, st.one_of(st.dictionaries(KEY, st.integers(), max_size=3)), max_size=3)


@given(st.dictionaries(KEY, VALUE, max_size=4))
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    assert to_plain(load_text(yaml.safe_dump(value, allow_unicode=True), "x.yml")) == value


@given(st.dictionaries(KEY, VALUE, min_size=1, max_size=4))
def test_every_key_knows_its_place(value: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    lines = text.splitlines()
    for path, node in walk(load_text(text, "x.yml")):
        if path and isinstance(path[-1], str) and node.key_location is not None:
            place = node.key_location
            assert lines[place.line - 1][place.column - 1 :].lstrip("'\"? ").startswith(path[-1])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("2024-01-02", "2024-01-02"),
        ("15.4.x-scala2.12", "15.4.x-scala2.12"),
        ("'12'", "12"),
        ('"true"', "true"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert to_plain(load_text(f"a: {text}", "x.yml")) == {"a": value}


def test_merge_keys_anchors_and_double_keys() -> None:
    text = "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: 1\nz: 2\n"
    tree = load_text(text, "x.yml")
    assert to_plain(tree) == {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}, "z": 2}
    assert tree.mapping["x"].anchored


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "{a", "a: *nothing", "? [a]\n: b", "<<: 3"])
def test_what_is_not_yaml_is_refused_with_the_file(text: str) -> None:
    with pytest.raises(CommandError, match=r"failed to load x\.yml"):
        load_text(text, "x.yml")


@given(MAPS, MAPS, MAPS)
def test_merging_maps_is_associative_and_the_last_one_counts(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    left = merge(merge(from_plain(a), from_plain(b)), from_plain(c))
    right = merge(from_plain(a), merge(from_plain(b), from_plain(c)))
    assert to_plain(left) == to_plain(right)
    for key, inner in c.items():
        assert to_plain(left)[key] | inner == to_plain(left)[key]


@given(MAPS)
def test_merging_with_nothing_changes_nothing(a: dict[str, Any]) -> None:
    assert to_plain(merge(from_plain(a), from_plain({}))) == a
    assert to_plain(merge(from_plain({}), from_plain(a))) == a
    assert to_plain(merge(from_plain(a), from_plain(None))) == a


@given(st.lists(st.integers(), max_size=4), st.lists(st.integers(), max_size=4))
def test_lists_are_appended(a: list[int], b: list[int]) -> None:
    assert to_plain(merge(from_plain(a), from_plain(b))) == a + b


def test_a_map_and_a_list_do_not_merge() -> None:
    with pytest.raises(CommandError, match="cannot merge map with sequence"):
        merge(from_plain({"a": 1}), from_plain([1]))


@given(st.lists(st.tuples(KEY, st.dictionaries(KEY, st.integers(), max_size=2)), max_size=6))
def test_items_of_one_key_become_one_at_the_place_of_the_first(pairs: list[tuple[str, dict[str, int]]]) -> None:
    items = [{"task_key": key, "settings": settings} for key, settings in pairs]
    merged = to_plain(merge_by_key(from_plain(items), "task_key"))
    assert [item["task_key"] for item in merged] == list(dict.fromkeys(key for key, _ in pairs))
    for item in merged:
        expected: dict[str, int] = {}
        for key, settings in pairs:
            expected |= settings if key == item["task_key"] else {}
        assert item["settings"] == expected
