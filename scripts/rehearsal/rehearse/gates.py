"""Answers the gates that open while scenes are played, as the story's people do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from rehearsal.github.model_actions import Gate
from rehearsal.rehearse.memory import GateSeen, Memory
from rehearsal.scenarios import model

_UNEXPECTED = model.Gate("", answer="rejected", who="reviewer", comment="not expected")
_LOOK_AGAIN_S = 0.05


class Reviewers:
    """The people who answer; a gate that no scene speaks of is rejected, so that nothing waits for ever.

    Args:
        memory: The story's memory: gates that were answered or left are noted in it.
        tell: Gets one line for each answer.
    """

    def __init__(self, memory: Memory, tell: Callable[[str], None]) -> None:
        self._memory = memory
        self._tell = tell

    def answer(self, gates: Sequence[model.Gate], over: threading.Event) -> None:
        """Answer gates as they open, until the event is set.

        Args:
            gates: What the scenes say about gates.
            over: Set when the scenes are over.
        """
        memory, stage = self._memory, self._memory.stage
        stages = stage.project.flow.stages
        named = [(gate, stages[gate.environment_of]) for gate in gates if gate.environment_of in stages]
        expected = {of.environment: gate for gate, of in named}
        expected |= {
            of.model_environment: replace(gate, answer=gate.of_models or gate.answer) for gate, of in named if of.model_environment
        }
        while not over.wait(_LOOK_AGAIN_S):
            for gate in stage.github.pending_gates(stage.project.repository):
                if gate.run_id not in memory.left:
                    self._answer(gate, expected.get(gate.environment, _UNEXPECTED))

    def _answer(self, gate: Gate, wish: model.Gate) -> None:
        memory, github = self._memory, self._memory.stage.github
        flow = memory.stage.project.flow
        asking = (name for name, stage in flow.stages.items() if gate.environment in (stage.environment, stage.model_environment))
        name = next(asking, "")
        jobs = memory.view.jobs(memory.target_of(name)) if name else []
        memory.gates.append(GateSeen(gate.environment, len(jobs), wish.answer, wish.who, bool(wish.drift)))
        if wish.drift:
            job = next(job for job in jobs if job.key == wish.drift)
            memory.view.change_job(job.job_id, {"timeout_seconds": 60})
            self._tell(f"somebody changes `{job.name}` in the workspace while `{gate.environment}` waits")
        if wish.rival:
            self._tell(memory.models(name).approve_another())
        if wish.answer == "left":
            memory.left.add(gate.run_id)
            self._tell(f"nobody answers `{gate.environment}` yet")
            return
        self._tell(f"{wish.who} answers `{gate.environment}`: {wish.answer}")
        github.review_gate(gate.run_id, gate.environment, wish.who, wish.answer, wish.comment)

    def still_left(self) -> set[int]:
        """Give the runs that wait at a gate which nobody answered."""
        stage = self._memory.stage
        return self._memory.left & {gate.run_id for gate in stage.github.pending_gates(stage.project.repository)}
