"""What all tests share."""

from __future__ import annotations

import sys

# pyspark takes a `__main__` without a file, which pytest-xdist's workers have, for a doctest run and ends the process.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = "pytest-worker"
