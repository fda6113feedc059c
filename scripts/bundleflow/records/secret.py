"""Tells by a field's name whether its value must not be shown."""

from __future__ import annotations

import re
from typing import Any

from bundleflow.records.plan import ABSENT

MASK = "(masked)"
"""What stands in place of a secret."""

_NAME = re.compile(r"(?i)(?:^|[._'\[])[^.\[\]]*(?:secret|password|passwd|token|private_?key|api_?key|credential)[^.\[\]]*$")
_REFERENCE = re.compile(r"\{\{secrets/[^{}]+\}\}")


def is_secret(path: str, value: Any) -> bool:
    """Whether a value must not be shown: its field's name speaks of a secret and it is not just a reference to one.

    Args:
        path: Path or name of the field; its last part counts.
        value: The value, of any JSON type.
    """
    if not _NAME.search(path) or value is ABSENT or value in (None, "", True, False):
        return False
    return not (isinstance(value, str) and _REFERENCE.fullmatch(value))
