"""What a model answers for the hold-out's rows, and a candidate that can be asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """Answers for n rows.

    Args:
        values: n classes or numbers; retrieval: n lists of ids, the best first.
        probabilities: Of each class, shape (n, number of classes), each row summing to 1; None when the model gives none.
        classes: The classes of the columns of `probabilities`.
    """

    values: Any
    probabilities: np.ndarray[Any, Any] | None = None
    classes: tuple[Any, ...] = ()


Answers = Any
"""`Predictions`, or what stands for its `values` alone: a list, an array or a column of n answers."""


@dataclass(frozen=True)
class Candidate:
    """A version that can be asked.

    Args:
        predict: Gives the answers for the hold-out (which still has its label and key: take the inputs by name), or the answers themselves.
        version: Its number; empty when there is none.
        inputs: Type of each input by name, in the words of MLflow's signature (`double`, `string`, ...); None when not known.
        outputs: Types of the outputs in their order; None when not known.
        served: Gives what the model itself answers for rows, before anything is taken out of it; None when not known.
    """

    predict: Callable[[pd.DataFrame], Answers] | Answers
    version: str = ""
    inputs: Mapping[str, str] | None = None
    outputs: tuple[str, ...] | None = None
    served: Callable[[pd.DataFrame], Any] | None = None

    def answers(self, holdout: pd.DataFrame) -> Predictions:
        """The answers for the hold-out's rows, in their order."""
        given = self.predict(holdout) if callable(self.predict) else self.predict
        return given if isinstance(given, Predictions) else Predictions(given)


def candidate(given: Candidate | Callable[[pd.DataFrame], Answers] | Answers) -> Candidate:
    """A candidate from whatever stands for one."""
    return given if isinstance(given, Candidate) else Candidate(given)
