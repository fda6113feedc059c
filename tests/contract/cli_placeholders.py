"""Makes what two runs say comparable: the same id, time or path gets the same placeholder wherever it stands."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote

from cli_proxy import Call

_TIME = re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d| UTC)?")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_HASH = re.compile(r"\b(?:[0-9a-f]{40}|[0-9a-f]{32})\b")
_LONG_NUMBER = re.compile(r"(?<![\w.])\d{9,}(?![\w])")
_NUMBER_IN_URL = re.compile(r"(/(?:jobs|runs|experiments|pipelines|run|job)/)(\d+)\b")
_OWN_PROGRAM = re.compile(r"(?<=databricks_cli_path=)\S+?(?=\. Env:)")
_CREATED: tuple[tuple[str, str, str], ...] = (
    (r"/jobs/create$", "job_id", "JOB_ID"),
    (r"/experiments/create$", "experiment_id", "EXPERIMENT_ID"),
    (r"/api/2\.\d/pipelines$", "pipeline_id", "PIPELINE_ID"),
    (r"/clusters/create$", "cluster_id", "CLUSTER_ID"),
    (r"/sql/warehouses$", "id", "WAREHOUSE_ID"),
    (r"/api/2\.\d/serving-endpoints$", "id", "ENDPOINT_ID"),
)
# What a workspace adds to objects of Unity Catalog of its own accord is no part of the contract.
_DECORATIONS = frozenset(
    (
        "browse_only", "catalog_type", "effective_predictive_optimization_flag", "enable_predictive_optimization",
        "metastore_id", "schema_id", "volume_id", "storage_location", "storage_root",
    )
)  # fmt: skip


class Placeholders:
    """The placeholders of one case; `literals` is the text of the case itself, whose ids are left as they are."""

    def __init__(self, literals: str) -> None:
        self.literals = literals
        self.texts: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._numbered: dict[tuple[str, str], str] = {}

    def know_user(self, user: str, identity: str, workspace_id: str) -> None:
        """Recognise the user in all spellings, and the workspace."""
        for spelling in (user, quote(user), quote(user, safe="@")):
            self.texts.setdefault(spelling, "[USERNAME]")
        name = user.split("@")[0]
        word = re.sub(r"[^A-Za-z0-9]", "_", name)
        self.ids |= {identity: "[USER_ID]", workspace_id: "[WORKSPACE_ID]"} | dict.fromkeys((name, word, word.replace("_", "-")), "[USER]")

    def learn(self, call: Call) -> None:
        """Take ids from an answer, and name them after what was asked for."""
        try:
            answer, asked = json.loads(call.response or b"null"), json.loads(call.body or b"{}") if call.method != "GET" else {}
        except ValueError:
            return
        if call.status >= 300 or not isinstance(answer, dict) or not isinstance(asked, dict):
            return
        name = asked.get("name") or asked.get("display_name") or asked.get("cluster_name") or ""
        for pattern, field, label in _CREATED if call.method == "POST" else ():
            if re.search(pattern, call.path):
                self._add(answer.get(field), f"{label}:{name}")
        if call.path.endswith(("/jobs/run-now", "/jobs/runs/get")):
            self._add(answer.get("run_id"), "RUN_ID")
            for task in answer.get("tasks") or []:
                self._add(task.get("run_id"), f"TASK_RUN_ID:{task.get('task_key')}")
        if call.path.endswith("/workspace/get-status"):
            self._add(answer.get("object_id"), f"OBJECT_ID:{answer.get('path')}")

    def _add(self, value: Any, label: str) -> None:
        text = str(value)
        if value in (None, "", 0) or text in self.ids:
            return
        label = re.sub(r"[^A-Za-z0-9:_.-]+", "-", self.text(label)).strip("-")
        self._counts[label] += 1
        number = self._counts[label]
        self.ids[text] = f"[{label}]" if number == 1 else f"[{label}#{number}]"

    def _number(self, kind: str, value: str) -> str:
        if (kind, value) not in self._numbered:
            self._counts[kind] += 1
            self._numbered[kind, value] = f"[{kind}:{self._counts[kind]}]"
        return self._numbered[kind, value]

    def text(self, value: str) -> str:
        """Return a text with placeholders."""
        known = [re.escape(text) for text in sorted(self.texts, key=len, reverse=True)]
        known += [rf"(?<![A-Za-z0-9]){re.escape(i)}(?![A-Za-z0-9])" for i in sorted(self.ids, key=len, reverse=True) if len(i) >= 5]
        value = re.sub("|".join(known) or r"(?!)", lambda hit: self.texts.get(hit[0]) or self.ids[hit[0]], value)
        value = _NUMBER_IN_URL.sub(lambda hit: hit[1] + self.ids.get(hit[2], hit[2]), value)
        value = _OWN_PROGRAM.sub("[CLI]", _TIME.sub("[TIMESTAMP]", value))
        value = _UUID.sub(lambda hit: self._unless_literal("UUID", hit[0]), value)
        value = _HASH.sub(lambda hit: self._unless_literal("HEX", hit[0]), value)
        return _LONG_NUMBER.sub(lambda hit: self._long(hit[0]), value)

    def _unless_literal(self, kind: str, value: str) -> str:
        return value if value in self.literals else self._number(kind, value)

    def _long(self, digits: str) -> str:
        if digits in self.literals:
            return digits
        seconds = (int(digits) / unit for unit in (1, 10**3, 10**6, 10**9))
        return "[TIMESTAMP]" if any(1.6e9 <= s < 2.2e9 for s in seconds) else self._number("NUMID", digits)

    def value(self, value: Any, key: str = "") -> Any:
        """Return JSON data with placeholders; `key` is the name it stands under."""
        if isinstance(value, dict):
            return {self.text(str(k)): self.value(v, str(k)) for k, v in _undecorated(value, key).items()}
        if isinstance(value, list):
            return [self.value(item, key) for item in value]
        if isinstance(value, bool) or value is None or isinstance(value, float):
            return value
        if key in ("cli_version", "databricks_cli_version"):
            return "[CLI_VERSION]"
        if key == "serial":
            return self._number("SERIAL", str(value))
        if key in ("seq", "timestamp"):
            return f"[{key.upper()}]"
        if key.endswith("id") and str(value) in self.ids:
            return self.ids[str(value)]
        text = self.text(str(value))
        return text if isinstance(value, str) or text != str(value) else value


def _undecorated(value: dict[str, Any], key: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, item in value.items():
        if key == "remote_state" and name in _DECORATIONS:
            continue
        if name == "storage_location" and isinstance(item, dict) and "remote" in item:
            item = item | {"remote": "[STORAGE]"}
        kept[name] = item
    return kept
