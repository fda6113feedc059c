"""Names inside expressions are replaced; texts and everything outside the braces stay."""

import pytest

from rehearsal.actions import expressions, permissions


def rename(name: str) -> str | None:
    return {"github.token": "env.T", "vars.HOST": "env.H", "job.workflow_sha": "'abc'"}.get(name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("${{ github.token }}", "${{ env.T }}"),
        ("a ${{github.token}} b ${{ vars.HOST }}", "a ${{env.T}} b ${{ env.H }}"),
        ("github.token", "github.token"),
        ("${{ 'github.token' }}", "${{ 'github.token' }}"),
        ("${{ format('it''s {0}', github.token) }}", "${{ format('it''s {0}', env.T) }}"),
        ("${{ github.token_x || github.tokens }}", "${{ github.token_x || github.tokens }}"),
        ("${{ secrets.databricks-token && 'pat' || 'x' }}", "${{ secrets.databricks-token && 'pat' || 'x' }}"),
        ("${{ github . token }}", "${{ env.T }}"),
        ("${{ job.workflow_sha }}", "${{ 'abc' }}"),
        ("$( github.token )", "$( github.token )"),
    ],
)
def test_rewriting(before: str, after: str):
    assert expressions.rewrite_text(before, rename) == after


def test_trees_are_rewritten_throughout():
    tree = {"a": ["${{ vars.HOST }}", 1, True], "b": {"c": "${{ github.token }}"}}
    assert expressions.rewrite_value(tree, rename) == {"a": ["${{ env.H }}", 1, True], "b": {"c": "${{ env.T }}"}}


@pytest.mark.parametrize(
    ("condition", "expression"),
    [
        ("always()", "always()"),
        ("${{ always() && x }}", "always() && x"),
        (" ${{ a }} && ${{ b }} ", "format('{0}{1}{2}', format('{0}', a), ' && ', format('{0}', b)) != ''"),
    ],
)
def test_a_condition_becomes_one_expression(condition: str, expression: str):
    assert expressions.condition_as_expression(condition) == expression


def test_literals_are_quoted():
    assert expressions.literal("it's") == "'it''s'"


def test_permissions_of_a_job():
    document = {"permissions": {"contents": "read"}}
    assert permissions.of_job(document, {}) == {"contents": "read"}
    assert permissions.of_job(document, {"permissions": {"issues": "write", "checks": "none"}}) == {"issues": "write"}
    assert permissions.of_job({"permissions": {}}, {}) == {}
    assert permissions.of_job({}, {}) is None
    assert permissions.of_job({}, {"permissions": "read-all"})["contents"] == "read"
    assert "id-token" not in permissions.of_job({}, {"permissions": "read-all"})


def test_a_called_workflow_may_not_ask_for_more_than_its_caller_grants():
    assert permissions.exceeding({"contents": "write", "issues": "read"}, {"contents": "read", "issues": "write"}) == ["contents: write"]
    assert permissions.exceeding({"contents": "write"}, None) == []
    assert permissions.limited(None, {"contents": "read"}) == {"contents": "read"}
    assert permissions.limited({}, {"contents": "read"}) == {}
