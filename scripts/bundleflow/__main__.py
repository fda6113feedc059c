"""`python -m bundleflow` is the same as `bundleflow`."""

from bundleflow.cli import script

script()
