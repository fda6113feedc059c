"""Versions of models that a task loaded and registered, by the calls of its MLflow client."""

from __future__ import annotations

import json

from rehearsal.executor.model_access import ModelAccess

API = "http://127.0.0.1:1/api/2.0"


def test_registered_is_written_loaded_is_read_and_looking_is_neither() -> None:
    models = ModelAccess()
    models.asked("GET", f"{API}/mlflow/unity-catalog/model-versions/get?name=a.b.looked&version=1", None)
    models.asked("PUT", f"{API}/fs/files/Models/a/b/made/2/MLmodel", b"files")
    models.asked("GET", f"{API}/fs/directories/Models/a/b/made/2", None)
    models.asked("POST", f"{API}/mlflow/unity-catalog/model-versions/finalize", json.dumps({"name": "a.b.made", "version": "2"}).encode())
    models.asked("GET", f"{API}/fs/directories/Models/a/b/loaded/7", None)
    models.asked("GET", f"{API}/fs/files/Models/a/b/loaded/7/MLmodel", None)
    models.asked("GET", f"{API}/fs/files/Volumes/a/b/files/7/x", None)
    assert models.writes() == ["models:/a.b.made/2"]
    assert models.reads() == ["models:/a.b.loaded/7"]
