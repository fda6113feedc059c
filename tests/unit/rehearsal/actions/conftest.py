"""A small project and a small kit, as folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearsal.actions import render, yamltext
from rehearsal.actions.model import RenderedRun, RunFacts
from rehearsal.actions.sources import Source, Sources

SHA = "0123456789abcdef0123456789abcdef01234567"

CALLEE = """
name: callee
on:
  workflow_call:
    inputs:
      environment: {type: string, required: true}
      times: {type: number, default: 1}
    secrets:
      token: {required: false}
    outputs:
      said: {value: "${{ jobs.first.outputs.said }}"}
permissions: {}
jobs:
  first:
    name: deploy to ${{ inputs.environment }}
    runs-on: ubuntu-24.04
    timeout-minutes: 7
    environment: {name: "${{ inputs.environment }}", deployment: false}
    concurrency: {group: "deploy-${{ inputs.environment }}", queue: max, cancel-in-progress: false}
    permissions: {contents: read, id-token: write}
    outputs: {said: "${{ steps.say.outputs.said }}"}
    steps:
      - uses: actions/checkout@f548e57e544ee9d14de6ab5beeb10c3e4ba7da25 # v5
        with: {persist-credentials: false}
      - id: say
        uses: $/actions/say
        with: {what: "${{ vars.WORD }}"}
      - if: always()
        run: echo "sha=$WORKFLOW_SHA token=$TOKEN ref=$GITHUB_REF repo=$GITHUB_REPOSITORY oidc=$ACTIONS_ID_TOKEN_REQUEST_URL"
        env:
          TOKEN: ${{ github.token }}
          WORKFLOW_SHA: ${{ job.workflow_sha }}
  second:
    needs: first
    runs-on: ubuntu-24.04
    steps:
      - run: |
          echo "# said ${{ needs.first.outputs.said }}" >> "$GITHUB_STEP_SUMMARY"
          echo "::warning file=a.py,line=3,title=T::one%0Atwo"
"""

ACTION = """
name: say
inputs:
  what: {default: nothing}
  token: {default: "${{ github.token }}"}
outputs:
  said: {value: "${{ steps.say.outputs.said }}"}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      env: {WHAT: "${{ inputs.what }}", TOKEN: "${{ inputs.token }}"}
      run: |
        echo "said=$WHAT" >> "$GITHUB_OUTPUT"
        echo "has-token=${TOKEN:+yes}"
"""

CALLER = f"""
name: cd
on: {{push: {{branches: [main]}}, workflow_dispatch: }}
permissions: {{}}
jobs:
  call:
    permissions: {{contents: read, id-token: write}}
    uses: bundleflow/bundleflow/.github/workflows/callee.yml@{SHA} # v1
    with: {{environment: staging}}
"""


@dataclass
class World:
    """A project and a kit on disk."""

    project: Path
    kit: Path
    scratch: Path

    def write(self, name: str, text: str, *, kit: bool = False) -> None:
        path = (self.kit if kit else self.project) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def sources(self) -> Sources:
        source = Source("team/iris", "1" * 40, "1" * 40, self.project, self.scratch / "project")
        return Sources(source, self.kit, self.scratch / "kit", "2" * 40)

    def render(self, name: str = "cd.yml") -> RenderedRun:
        facts = RunFacts(77, "http://127.0.0.1:1/desk", Path("/begin.py"), {"github.workflow_ref": "team/iris/x@refs/heads/main"})
        return render.Renderer(self.sources(), facts, self.scratch / "run").render(f".github/workflows/{name}")

    def copy_of_callee(self) -> dict:
        return yamltext.load_file(self.scratch / "kit" / ".github" / "workflows" / "r77-call.yml")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "project", tmp_path / "kit", tmp_path / "scratch")
    made.write(".github/workflows/cd.yml", CALLER)
    made.write(".github/workflows/callee.yml", CALLEE, kit=True)
    made.write("actions/say/action.yml", ACTION, kit=True)
    return made
