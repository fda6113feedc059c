"""Options that the actions of `bundleflow model` have in common; loads nothing else, so that `--help` is there at once."""

from __future__ import annotations

import argparse
from typing import Any

from bundleflow.commands.context import add_stage_arguments


def add_model_arguments(parser: argparse.ArgumentParser, *, several: bool = True) -> None:
    """Options that the actions have in common."""
    many: Any = "*" if several else None
    parser.add_argument(
        "model", nargs=many, help="key of the model in the flow file" + (" (default: all that the stage promotes)" * several)
    )
    add_stage_arguments(parser)
