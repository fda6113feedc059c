"""The rows that a verdict keeps to ask an endpoint with, and the answers that are right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.verdict.record import PROBE_FILE


def read_probe(registry: Registry, run_id: str) -> Mapping[str, Any]:
    """The rows that the run of a verdict keeps.

    Args:
        registry: The registry.
        run_id: MLflow run of the verdict; empty for none.

    Returns:
        `{"request": {"dataframe_split": {...}}, "predictions": [...]}`; empty when the run keeps none.

    Raises:
        ModelsError: `no-verdict`: the file is there and says something else.
    """
    content = registry.artifact(run_id, PROBE_FILE) if run_id else None
    if content is None:
        return {}
    try:
        data = json.loads(content)
    except ValueError:
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("request"), dict):
        raise ModelsError(
            "no-verdict",
            f"The file {PROBE_FILE} of the MLflow run {run_id} holds no rows to ask with.",
            fix="Judge the version again (`bundleflow model verdict`).",
        )
    return data
