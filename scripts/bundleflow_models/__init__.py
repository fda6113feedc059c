"""What judges and promotes models: runs inside the workspace and anywhere else, without the rest of the kit."""

__version__ = "0.1.0"
