"""Takes secrets out of everything before it is stored or shown."""

from __future__ import annotations

import threading
from typing import Any


class Masker:
    """Knows the values that nobody may see; safe to use from any thread."""

    def __init__(self) -> None:
        self._values: list[str] = []
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Hide a value from now on; each line of one with several, too (as GitHub does). Very short ones are not hidden."""
        with self._lock:
            for part in {value, *value.splitlines()}:
                if len(part.strip()) >= 4 and part not in self._values:
                    self._values.append(part)
            self._values.sort(key=len, reverse=True)

    def text(self, text: str) -> str:
        """Give a text with `***` in place of every hidden value."""
        with self._lock:
            for value in self._values:
                if value in text:
                    text = text.replace(value, "***")
        return text

    def value(self, value: Any) -> Any:
        """Give plain data (mappings, lists, texts) with every text masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value

    def holds(self, text: str) -> bool:
        """Say whether a text contains a hidden value."""
        with self._lock:
            return any(value in text for value in self._values)
