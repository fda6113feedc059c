"""The gate file: what a challenger must show, read, checked and with every default filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.metric_names import NEEDS_PROBABILITIES, fits_problem, higher_is_better
from bundleflow_models.verdict.schema_subset import problems

SCHEMA_FILE = Path(__file__).with_name("gate.schema.json")
Problem = Literal["classification", "regression", "retrieval"]
Asked = Literal["required", "if-recorded", "off"]
BaselineKind = Literal["constant", "previous", "random"]


@dataclass(frozen=True)
class HoldOut:
    """The frozen rows.

    Args:
        label: Column of the right answer.
        table: Full name of the table, `{catalog}` and `{schema}` standing for those of the model; None: given by the caller.
        rows: Which rows of the table, as column and value; all must hold.
        key: Columns that tell a row from all others; empty: a row is known by its content.
        order_by: Column of time; None: the rows have no order.
        ignore: Columns that are not part of the frozen content.
        min_rows: Fewer are refused.
        slices: Columns by whose values the metrics are reported apart.
    """

    label: str
    table: str | None = None
    rows: Mapping[str, Any] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    order_by: str | None = None
    ignore: tuple[str, ...] = ()
    min_rows: int = 30
    slices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """Where the training rows are; neither: only what the training run recorded is known."""

    table: str | None = None
    rows: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """Naive answers to beat.

    Args:
        kinds: Each of them; empty: none.
        previous: Column of the previous answer; None: the label of the row before.
        candidates: How many ids a random ranking draws from; None: as many as are named.
        confidence: Of the two-sided interval of the difference, 0 to 1.
    """

    kinds: tuple[BaselineKind, ...] = ("constant",)
    previous: str | None = None
    candidates: int | None = None
    confidence: float = 0.99


@dataclass(frozen=True)
class Policy:
    """How challenger and champion are compared.

    Args:
        rule: `superior` (interval above 0) or `non-inferior` (above `-eps`).
        eps: In units of the primary metric.
        confidence: Of the two-sided interval, 0 to 1.
        resamples: How often the rows are drawn.
        seed: Of the drawing.
        block: Rows drawn together.
    """

    rule: Literal["superior", "non-inferior"] = "superior"
    eps: float = 0.0
    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 7
    block: int = 1


@dataclass(frozen=True)
class Checks:
    """What is looked at beside the metrics.

    Args:
        pinned: Whether the hold-out must be the one that the training recorded.
        leakage: Whether hold-out rows are searched among the training rows.
        max_duplicates: Share of the hold-out's rows, 0 to 1, that may stand there by content; None: 0 without a key, not limited with one.
        schema: Whether who asks the champion today must be able to ask the challenger.
    """

    pinned: Asked = "required"
    leakage: Asked = "required"
    max_duplicates: float | None = None
    schema: Literal["compatible", "any"] = "compatible"


@dataclass(frozen=True)
class Gate:
    """A valid gate file.

    Args:
        problem: Kind of answer.
        holdout: The frozen rows.
        primary: Metric of the comparisons.
        metrics: Further metrics, only reported.
        floors: Worst value let through, by metric; the metric's direction says whether it is a minimum or a maximum.
        training: Where the training rows are.
        baseline: Naive answers to beat.
        policy: How challenger and champion are compared.
        checks: What else is looked at.
        sha256: Digest of the file's content with the defaults left as they were (canonical JSON), hexadecimal.
    """

    problem: Problem
    holdout: HoldOut
    primary: str
    metrics: tuple[str, ...] = ()
    floors: Mapping[str, float] = field(default_factory=dict)
    training: Training = Training()
    baseline: Baseline = Baseline()
    policy: Policy = Policy()
    checks: Checks = Checks()
    sha256: str = ""

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """Every metric that is computed: the primary one, those with a floor, those that are reported."""
        return tuple(dict.fromkeys((self.primary, *self.floors, *self.metrics)))

    def table(self, model_name: str) -> str | None:
        """Full name of the hold-out's table for a model, None when the gate names none."""
        return None if self.holdout.table is None else _placed(self.holdout.table, model_name)

    def training_table(self, model_name: str) -> str | None:
        """Full name of the table of the training rows for a model, None when the gate does not say where they are."""
        named = self.training.table or (self.holdout.table if self.training.rows else None)
        return None if named is None else _placed(named, model_name)


def load_gate(source: Path | str | Mapping[str, Any]) -> Gate:
    """Read and check a gate file.

    Args:
        source: The YAML file, or its content as plain values.

    Raises:
        ModelsError: `gate-invalid`; names every key at fault, one sentence each.
    """
    data: Any = source
    name = "The gate"
    if not isinstance(source, Mapping):
        name = f"The gate file {source}"
        data = _read(Path(source), name)
    if not isinstance(data, Mapping):
        raise _invalid(name, ["it is not a mapping (keys with values)"])
    plain = dict(data)
    schema = load_schema()
    found = list(problems(plain, schema, schema))
    found = found or list(meaning_problems(plain))
    if found:
        raise _invalid(name, found)
    return _gate(plain)


def load_schema() -> dict[str, Any]:
    """The gate file's JSON Schema (also for editors, and for the kit's lint)."""
    return cast("dict[str, Any]", json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _read(path: Path, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _invalid(name, [f"it cannot be read ({error})"]) from error


def _invalid(name: str, found: list[str]) -> ModelsError:
    return ModelsError("gate-invalid", f"{name} cannot be used: {'; '.join(found)}.", fix="Correct the gate file.", outcome=Outcome.MISUSED)


def meaning_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """What the schema cannot say; the content is valid by the schema already.

    Yields:
        One sentence for each problem, naming the key.
    """
    problem, policy, baseline = data["problem"], data.get("policy", {}), data.get("baseline", {})
    for name in dict.fromkeys((data["primary"], *data.get("metrics", ()), *data.get("floors", {}))):
        if not fits_problem(name, problem):
            yield f"`{name}` is no metric of {problem}"
    for name, floor in data.get("floors", {}).items():
        wanted = "min" if higher_is_better(name) else "max"
        if wanted not in floor:
            yield f"`floors.{name}` needs `{wanted}`: {'more' if wanted == 'min' else 'less'} is better"
    if policy.get("rule") == "non-inferior" and not policy.get("eps"):
        yield "`policy.eps` must be more than 0 under `non-inferior`"
    if policy.get("rule", "superior") == "superior" and policy.get("eps"):
        yield "`policy.eps` has no meaning under `superior`; did you mean `rule: non-inferior`?"
    if policy.get("block", 1) > 1 and "order-by" not in data["holdout"]:
        yield "`policy.block` needs `holdout.order-by`, the order in which neighbours are drawn together"
    kinds = baseline.get("kinds", ())
    if "previous" in kinds and not ("order-by" in data["holdout"] or "previous" in baseline):
        yield "`baseline.kinds` has `previous`, which needs `holdout.order-by` or `baseline.previous`"
    if "previous" in kinds and data["primary"] in NEEDS_PROBABILITIES:
        yield f"`baseline.kinds` has `previous`, which has no probabilities for `{data['primary']}`; choose another `primary`"
    if problem == "retrieval" and set(kinds) & {"constant", "previous"}:
        yield "`baseline.kinds` of a retrieval gate can only be `random`"
    if problem != "retrieval" and "random" in kinds:
        yield "`baseline.kinds` has `random`, which is for retrieval; take `constant`"
    if data["holdout"]["label"] in data["holdout"].get("ignore", ()):
        yield "`holdout.ignore` has the label, which is part of what is frozen"


def _gate(data: Mapping[str, Any]) -> Gate:
    holdout, training, baseline = data["holdout"], data.get("training", {}), data.get("baseline", {})
    policy, checks = data.get("policy", {}), data.get("checks", {})
    default_kinds = ("random",) if data["problem"] == "retrieval" else ("constant",)
    return Gate(
        problem=data["problem"],
        holdout=HoldOut(
            label=holdout["label"],
            table=holdout.get("table"),
            rows=dict(holdout.get("rows", {})),
            key=tuple(holdout.get("key", ())),
            order_by=holdout.get("order-by"),
            ignore=tuple(holdout.get("ignore", ())),
            min_rows=holdout.get("min-rows", 30),
            slices=tuple(holdout.get("slices", ())),
        ),
        primary=data["primary"],
        metrics=tuple(data.get("metrics", ())),
        floors={name: float(floor["min"] if "min" in floor else floor["max"]) for name, floor in data.get("floors", {}).items()},
        training=Training(training.get("table"), dict(training.get("rows", {}))),
        baseline=Baseline(
            kinds=tuple(baseline.get("kinds", default_kinds)),
            previous=baseline.get("previous"),
            candidates=baseline.get("candidates"),
            confidence=float(baseline.get("confidence", 0.99)),
        ),
        policy=Policy(
            rule=policy.get("rule", "superior"),
            eps=float(policy.get("eps", 0)),
            confidence=float(policy.get("confidence", 0.95)),
            resamples=policy.get("resamples", 2000),
            seed=policy.get("seed", 7),
            block=policy.get("block", 1),
        ),
        checks=Checks(
            pinned=checks.get("pinned", "required"),
            leakage=checks.get("leakage", "required"),
            max_duplicates=checks.get("max-duplicates"),
            schema=checks.get("schema", "compatible"),
        ),
        sha256=hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest(),
    )


def _placed(name: str, model_name: str) -> str:
    """A table's name with the places of a model's name (catalog.schema.model) filled in."""
    if "{" not in name:
        return name
    parts = model_name.split(".")
    if len(parts) != 3:
        raise ModelsError(
            "gate-invalid",
            f"The gate's table `{name}` needs a model's name in three parts, and `{model_name}` is not.",
            fix="Name the model as catalog.schema.model, or write the table's full name into the gate file.",
            outcome=Outcome.MISUSED,
        )
    return name.replace("{catalog}", parts[0]).replace("{schema}", parts[1])
