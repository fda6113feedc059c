"""What the bundle commands begin with: load, choose the target, assign variables, initialize."""

from __future__ import annotations

from rehearsal.databricks_cli import checks, initialize, libraries, loading, targets, variables
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics, StopCommand
from rehearsal.databricks_cli.dyn import Node
from rehearsal.databricks_cli.http_client import ApiError


class Preparation:
    """Brings a bundle as far as its configuration allows and keeps what was reached, so that it can be shown.

    Args:
        invocation: The command line.
        diagnostics: Takes all remarks, also the error that ended the preparation.
    """

    def __init__(self, invocation: Invocation, diagnostics: Diagnostics) -> None:
        self.invocation = invocation
        self.diagnostics = diagnostics
        self.bundle: Bundle | None = None
        self.root_found = False

    def load(self) -> bool:
        """Load the bundle and initialize it; return whether that went well."""
        try:
            self._load()
        except CommandError as problem:
            self.diagnostics.items.append(problem.diagnostic)
        except ApiError as problem:
            self.diagnostics.error(problem.headline(), detail=problem.detail())
        except StopCommand:
            pass
        else:
            return True
        return False

    def _load(self) -> None:
        invocation = self.invocation
        root = loading.find_root()
        self.root_found = True
        self.diagnostics.root = str(root)
        self.bundle = loading.load(root, invocation.command, self.diagnostics)
        loading.load_includes(self.bundle)
        targets.select(self.bundle, invocation.text("target"))
        variables.assign_flags(self.bundle, invocation.texts("var"))
        if cluster_id := invocation.text("cluster-id") or invocation.text("compute-id"):
            self.bundle.config.set(("bundle", "cluster_id"), Node(cluster_id))
        initialize.initialize(self.bundle)


def ready_bundle(invocation: Invocation, diagnostics: Diagnostics, *, check: bool = False, build: bool = False) -> Bundle:
    """Return the initialized bundle for a command that needs it whole.

    Args:
        invocation: The command line.
        diagnostics: Takes the remarks; they are printed.
        check: Make the fast checks, too.
        build: Build the artifacts and find the libraries, too.

    Raises:
        StopCommand: It did not come so far; the diagnostics say why.
        CommandError: A build failed.
    """
    preparation = Preparation(invocation, diagnostics)
    loaded = preparation.load()
    if not loaded or preparation.bundle is None:
        diagnostics.flush()
        raise StopCommand
    bundle = preparation.bundle
    if check:
        checks.fast(bundle)
    diagnostics.flush()
    if build:
        libraries.build(bundle)
        libraries.expand(bundle)
    return bundle
