"""The verdict: may this version become champion? Asked on one frozen hold-out, answered by a record with a digest.

    from bundleflow_models import verdict

    gate = verdict.load_gate("gates/iris.yml")
    verdict.record_training(gate, holdout, training)                   # in the training run
    found = verdict.evaluate_version(gate, "dev.iris.classifier", 3)   # passed, refused or undecided

Importing this loads neither numpy nor MLflow; they are loaded by what needs them.
"""

from bundleflow_models.verdict.gate import Gate, load_gate
from bundleflow_models.verdict.judging import judge
from bundleflow_models.verdict.predictions import Candidate, Predictions
from bundleflow_models.verdict.record import VERDICT_ARTIFACT, VERDICT_TAGS, Check, Result, Verdict
from bundleflow_models.verdict.versions import evaluate_version, record_training

__all__ = [
    "VERDICT_ARTIFACT",
    "VERDICT_TAGS",
    "Candidate",
    "Check",
    "Gate",
    "Predictions",
    "Result",
    "Verdict",
    "evaluate_version",
    "judge",
    "load_gate",
    "record_training",
]
