"""Event filters, by the examples of GitHub's documentation of `on:`."""

import pytest

from rehearsal.actions import filters, yamltext

PUSH_MAIN = filters.Occasion("push", "", "refs/heads/main", list)


def document(on: str) -> dict:
    return yamltext.load(f"on: {on}\njobs: {{}}\n", "test")


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("main", "main", True),
        ("main", "main2", False),
        ("releases/**", "releases/10/1", True),
        ("releases/*", "releases/10/1", False),
        ("*", "feature", True),
        ("*", "feature/x", False),
        ("**", "feature/x", True),
        ("v2*", "v2.0", True),
        ("v[12].[0-9]+.[0-9]+", "v1.10.1", True),
        ("v[12].[0-9]+.[0-9]+", "v3.0.0", False),
        ("**/docs/**", "docs/hello.md", True),
        ("**/docs/**", "dir/docs/my-file.txt", True),
        ("**.js", "src/js/app.js", True),
        ("*.js", "src/app.js", False),
        ("*.jsx?", "page.js", True),
        ("*.jsx?", "page.jsx", True),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, text: str, matches: bool):
    assert filters.matches([pattern], text) is matches


def test_a_later_exclamation_mark_takes_away_and_a_later_pattern_gives_back():
    assert not filters.matches(["releases/**", "!releases/**-alpha"], "releases/1-alpha")
    assert filters.matches(["!x", "releases/**", "!releases/**-alpha", "releases/1-alpha"], "releases/1-alpha")


@pytest.mark.parametrize(
    ("on", "occasion", "starts"),
    [
        ("push", PUSH_MAIN, True),
        ("[push, pull_request]", PUSH_MAIN, True),
        ("pull_request", PUSH_MAIN, False),
        ("{push: {branches: [main]}}", PUSH_MAIN, True),
        ("{push: {branches: [dev]}}", PUSH_MAIN, False),
        ("{push: {branches-ignore: [main]}}", PUSH_MAIN, False),
        ("{push: {tags: ['v*']}}", PUSH_MAIN, False),
        ("{push: {branches: [main]}}", filters.Occasion("push", "", "refs/tags/v1", list), False),
        ("{push: {tags: ['v*']}}", filters.Occasion("push", "", "refs/tags/v1", list), True),
        ("pull_request", filters.Occasion("pull_request", "labeled", "refs/heads/main", list), False),
        ("pull_request", filters.Occasion("pull_request", "synchronize", "refs/heads/main", list), True),
        ("{pull_request: {types: [closed]}}", filters.Occasion("pull_request", "closed", "refs/heads/main", list), True),
        ("{pull_request: {types: closed}}", filters.Occasion("pull_request", "opened", "refs/heads/main", list), False),
        ("{pull_request: {branches: [main]}}", filters.Occasion("pull_request", "opened", "refs/heads/dev", list), False),
        ("{push: {paths: ['src/**']}}", filters.Occasion("push", "", "refs/heads/x", lambda: ["README.md"]), False),
        ("{push: {paths: ['src/**']}}", filters.Occasion("push", "", "refs/heads/x", lambda: ["README.md", "src/a.py"]), True),
        ("{push: {paths-ignore: ['**.md']}}", filters.Occasion("push", "", "refs/heads/x", lambda: ["README.md"]), False),
        ("{push: {paths-ignore: ['**.md']}}", filters.Occasion("push", "", "refs/heads/x", lambda: ["README.md", "a.py"]), True),
        ("{schedule: [{cron: '5 4 * * *'}]}", filters.Occasion("schedule", "", "refs/heads/main", list, cron="5 4 * * *"), True),
        ("{schedule: [{cron: '5 4 * * *'}]}", filters.Occasion("schedule", "", "refs/heads/main", list, cron="0 0 * * *"), False),
        ("{workflow_dispatch: }", filters.Occasion("workflow_dispatch", "", "refs/heads/main", list), True),
    ],
)
def test_which_events_start_a_workflow(on: str, occasion: filters.Occasion, starts: bool):
    assert filters.starts(document(on), occasion) is starts


def test_paths_are_only_looked_up_where_a_workflow_asks_for_them():
    def never() -> list[str]:
        raise AssertionError

    assert filters.starts(document("{push: {branches: [main]}}"), filters.Occasion("push", "", "refs/heads/main", never))


def test_on_is_a_key_and_yes_is_a_text():
    assert yamltext.load("on: push\nenv: {A: yes, B: true, C: 2026-01-01, D: 1}\n", "x") == {
        "on": "push",
        "env": {"A": "yes", "B": True, "C": "2026-01-01", "D": 1},
    }


def test_what_is_written_reads_the_same():
    value = {"on": "push", "jobs": {"a": {"run": "echo hi\n", "if": "${{ always() }}", "n": "1", "yes": "no", "date": "2026-01-01"}}}
    assert yamltext.load(yamltext.dump(value), "x") == value
