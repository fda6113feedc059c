"""Runs workflows: renders a copy for act, schedules what act ignores, follows the process."""
