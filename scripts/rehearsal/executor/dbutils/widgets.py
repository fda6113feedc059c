"""`dbutils.widgets`: parameters of a notebook. A value given to the task wins over a widget's default."""

from __future__ import annotations

from collections.abc import Sequence


class InputWidgetNotDefined(Exception):  # noqa: N818 - the name that Databricks shows
    """No widget and no parameter of this name."""


class Widgets:
    """The widgets of one task.

    Args:
        given: Parameters of the task; may grow (`%run ./x $a="b"`).
    """

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str = "") -> None:  # noqa: N803, ARG002 - Databricks' names
        """Make a text widget."""
        self._defaults[name] = str(defaultValue)

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str = "") -> None:  # noqa: N803, ARG002
        """Make a widget with one of several values.

        Raises:
            ValueError: the default is not among the choices.
        """
        if defaultValue not in list(choices):
            raise ValueError(f"The default value {defaultValue!r} of widget {name!r} is not among its choices {list(choices)}.")
        self._defaults[name] = str(defaultValue)

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str] = (), label: str = "") -> None:  # noqa: N803, ARG002
        """Make a widget with several values, or a text of one's own."""
        self._defaults[name] = str(defaultValue)

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str] = (), label: str = "") -> None:  # noqa: N803, ARG002
        """Make a widget with any of several values."""
        self._defaults[name] = str(defaultValue)

    def get(self, name: str) -> str:
        """Return a parameter's value.

        Raises:
            InputWidgetNotDefined: there is neither a parameter nor a widget of this name.
        """
        if name in self._given:
            return self._given[name]
        if name in self._defaults:
            return self._defaults[name]
        known = ", ".join(sorted({*self._given, *self._defaults})) or "none"
        raise InputWidgetNotDefined(f"No input widget named {name} is defined; defined are: {known}.")

    def getAll(self) -> dict[str, str]:  # noqa: N802 - Databricks' name
        """Return all parameters and widgets with their values."""
        return {**self._defaults, **self._given}

    def getArgument(self, name: str, defaultValue: str | None = None) -> str:  # noqa: N802, N803 - Databricks' names
        """Return a parameter's value, or the default (the older form of `get`)."""
        if defaultValue is not None and name not in self._given and name not in self._defaults:
            return defaultValue
        return self.get(name)

    def remove(self, name: str) -> None:
        """Remove a widget; a parameter of the task stays."""
        self._defaults.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802 - Databricks' name
        """Remove all widgets; parameters of the task stay."""
        self._defaults.clear()
