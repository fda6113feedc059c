"""Reads the command line as the real CLI does: its flags, their short forms, and its messages for wrong use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rehearsal.databricks_cli.diagnostics import CommandError


@dataclass(frozen=True)
class Flag:
    """One flag.

    Args:
        name: The long name, without dashes.
        short: The one-letter form, or empty.
        kind: `switch`, `count`, `text`, `list` (commas separate, may be repeated) or `format` (json or text).
        help: One line for `--help`.
    """

    name: str
    kind: str
    help: str
    short: str = ""


@dataclass
class Invocation:
    """A command line that was understood.

    Args:
        command: The command's words, such as `bundle deploy`.
        values: Value of each flag that was given: bool, int, text or list.
        arguments: What is left, in order.
        rest: What follows `--`, or None when there was none.
        help_wanted: `--help` was given.
    """

    command: str
    values: dict[str, object] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    rest: list[str] | None = None
    help_wanted: bool = False

    def on(self, name: str) -> bool:
        """Return whether a switch was given."""
        return bool(self.values.get(name))

    def text(self, name: str) -> str:
        """Return the value of a text flag; empty when it was not given."""
        return str(self.values.get(name, ""))

    def texts(self, name: str) -> list[str]:
        """Return the values of a list flag."""
        value = self.values.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def count(self, name: str) -> int:
        """Return how often a counted flag was given."""
        value = self.values.get(name, 0)
        return value if isinstance(value, int) else 0


GLOBAL_FLAGS = (
    Flag("help", "switch", "help for this command", "h"),
    Flag("output", "format", "output type: text or json", "o"),
    Flag("profile", "text", "refused: profiles of a configuration file are not read", "p"),
    Flag("debug", "switch", "accepted; the stand-in writes no log"),
    Flag("log-level", "text", "accepted; the stand-in writes no log"),
    Flag("log-file", "text", "accepted; the stand-in writes no log"),
    Flag("log-format", "text", "accepted; the stand-in writes no log"),
)
BUNDLE_FLAGS = (
    Flag("target", "text", "bundle target to use", "t"),
    Flag("var", "list", 'set values for variables defined in the bundle. Example: --var="key=value"'),
)
_APPROVE = Flag("auto-approve", "switch", "skip interactive approvals")
_FORCE = Flag("force", "switch", "force-override Git branch validation")
_FORCE_LOCK = Flag("force-lock", "switch", "force acquisition of deployment lock")
_SELECT = Flag("select", "list", "plan or deploy these resources only, and what they depend on")
_QUIET = Flag("quiet", "count", "print less", "q")
_CLUSTER = (
    Flag("cluster-id", "text", "override cluster in the deployment with the given cluster ID", "c"),
    Flag("compute-id", "text", "the same, under its old name"),
)

RUN_TASK_FLAGS = {
    "dbt-commands": "dbt_commands",
    "jar-params": "jar_params",
    "notebook-params": "notebook_params",
    "python-named-params": "python_named_params",
    "python-params": "python_params",
    "spark-submit-params": "spark_submit_params",
    "sql-params": "sql_params",
}
"""Flags of `bundle run` that set parameters of tasks of one kind, with their name in the Jobs API."""

COMMANDS: dict[str, tuple[str, tuple[Flag, ...]]] = {
    "version": ("Print the version", ()),
    "bundle validate": (
        "Validate configuration",
        (Flag("strict", "switch", "treat warnings as errors"), Flag("include-locations", "switch", "refused by the stand-in")),
    ),
    "bundle plan": ("Show deployment plan", (_FORCE, _SELECT, _QUIET, *_CLUSTER)),
    "bundle deploy": (
        "Deploy bundle",
        (
            _APPROVE,
            _FORCE,
            _FORCE_LOCK,
            Flag("fail-on-active-runs", "switch", "fail if there are running jobs or pipelines in the deployment"),
            _SELECT,
            Flag("plan", "text", "path to a JSON plan file to apply instead of planning"),
            _QUIET,
            *_CLUSTER,
        ),
    ),
    "bundle run": (
        "Run a job",
        (
            Flag("no-wait", "switch", "don't wait for the run to complete"),
            Flag("restart", "switch", "cancel active runs first"),
            Flag("only", "list", "run these tasks only"),
            Flag("params", "list", "comma separated k=v pairs for job parameters"),
            *(Flag(name, "list", "parameters of tasks of this kind") for name in RUN_TASK_FLAGS),
        ),
    ),
    "bundle summary": ("Summarize resources deployed by this bundle", (Flag("force-pull", "switch", "skip local cache"),)),
    "bundle destroy": ("Destroy deployed bundle resources", (_APPROVE, _FORCE_LOCK)),
    "bundle debug list-targets": ("List the bundle's targets", ()),
}
"""The commands there are, with one line of help and their own flags."""

REFUSED = (
    "bundle config-remote-sync",
    "bundle debug",
    "bundle deployment",
    "bundle generate",
    "bundle init",
    "bundle launch",
    "bundle open",
    "bundle schema",
    "bundle sync",
    "bundle test",
)
"""Commands of the real CLI that the stand-in does not have and says so."""


def flags_of(command: str) -> tuple[Flag, ...]:
    """Return all flags that a command takes."""
    own = COMMANDS[command][1]
    return (*own, *(BUNDLE_FLAGS if command.startswith("bundle") else ()), *GLOBAL_FLAGS)


def parse(argv: Sequence[str]) -> Invocation:
    """Read a command line.

    Args:
        argv: The arguments after the program's name.

    Returns:
        What was asked for; `command` is empty, or `bundle`, where only a group was named.

    Raises:
        CommandError: A flag or command is unknown, or a value is missing or wrong; in the words of the real CLI.
    """
    words, others = _split_command(list(argv))
    command = " ".join(words)
    if command not in COMMANDS:
        return _group(command, others)
    invocation = Invocation(command)
    reader = _Reader(flags_of(command), invocation)
    reader.read(others)
    if invocation.help_wanted:
        return invocation
    if command not in ("bundle run",) and invocation.arguments:
        raise CommandError(f'unknown command "{invocation.arguments[0]}" for "databricks {command}"')
    return invocation


def _split_command(argv: list[str]) -> tuple[list[str], list[str]]:
    """Take the longest known command off the words that are not flags; flags may stand before and between."""
    words: list[str] = []
    others: list[str] = []
    takes_value = {f"--{f.name}" for f in (*GLOBAL_FLAGS, *BUNDLE_FLAGS) if f.kind in ("text", "list", "format")}
    takes_value |= {f"-{f.short}" for f in (*GLOBAL_FLAGS, *BUNDLE_FLAGS) if f.short and f.kind in ("text", "list", "format")}
    prefixes = {tuple(c.split()[:n]) for c in (*COMMANDS, *REFUSED) for n in range(1, 4)}
    index = 0
    while index < len(argv):
        argument = argv[index]
        if argument in takes_value and index + 1 < len(argv):
            others += argv[index : index + 2]
            index += 2
            continue
        if not argument.startswith("-") and (*words, argument) in prefixes:
            words.append(argument)
        else:
            others += argv[index:] if not argument.startswith("-") or argument == "--" else [argument]
            if not argument.startswith("-") or argument == "--":
                break
        index += 1
    return words, others


def _group(command: str, others: list[str]) -> Invocation:
    if command in REFUSED:
        raise CommandError(f"`databricks {command}` is not supported by the stand-in for the Databricks CLI; use the real one for it")
    unknown = [o for o in others if not o.startswith("-")]
    if not command and unknown:
        raise CommandError(
            f'unknown command "{unknown[0]}" for "databricks": the stand-in has `bundle` and `version` only; use the real CLI for others'
        )
    return Invocation(command, help_wanted=True)


class _Reader:
    """Reads flags in the manner of the library the real CLI uses."""

    def __init__(self, flags: Sequence[Flag], invocation: Invocation) -> None:
        self.long = {f.name: f for f in flags}
        self.short = {f.short: f for f in flags if f.short}
        self.into = invocation

    def read(self, argv: list[str]) -> None:
        """Read all arguments into the invocation."""
        queue = list(argv)
        while queue:
            argument = queue.pop(0)
            if argument == "--":
                self.into.rest = queue
                return
            if argument.startswith("--"):
                self._long(argument[2:], queue)
            elif argument.startswith("-") and len(argument) > 1:
                self._shorts(argument, queue)
            else:
                self.into.arguments.append(argument)

    def _long(self, text: str, queue: list[str]) -> None:
        name, equals, value = text.partition("=")
        flag = self.long.get(name)
        if flag is None:
            raise CommandError(f"unknown flag: --{name}")
        if equals:
            self._store(flag, value)
        elif flag.kind in ("switch", "count"):
            self._store(flag, "true")
        elif queue:
            self._store(flag, queue.pop(0))
        else:
            raise CommandError(f"flag needs an argument: --{name}")

    def _shorts(self, argument: str, queue: list[str]) -> None:
        letters = argument[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self.short.get(letter)
            if flag is None:
                raise CommandError(f"unknown shorthand flag: '{letter}' in {argument}")
            if flag.kind in ("switch", "count"):
                self._store(flag, "true")
                continue
            if not letters and not queue:
                raise CommandError(f"flag needs an argument: '{letter}' in {argument}")
            self._store(flag, letters.removeprefix("=") if letters else queue.pop(0))
            return

    def _store(self, flag: Flag, value: str) -> None:
        spelled = f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"
        values = self.into.values
        if flag.kind == "switch":
            if value.lower() not in ("true", "false", "1", "0", "t", "f"):
                problem = f'strconv.ParseBool: parsing "{value}": invalid syntax'
                raise CommandError(f'invalid argument "{value}" for "{spelled}" flag: {problem}')
            values[flag.name] = value.lower() in ("true", "1", "t")
            self.into.help_wanted |= flag.name == "help"
        elif flag.kind == "count":
            values[flag.name] = self.into.count(flag.name) + 1
        elif flag.kind == "list":
            values[flag.name] = self.into.texts(flag.name) + _split_csv(value)
        elif flag.kind == "format" and value not in ("json", "text"):
            raise CommandError(f'invalid argument "{value}" for "{spelled}" flag: accepted arguments are json and text')
        else:
            values[flag.name] = value


def _split_csv(value: str) -> list[str]:
    """Split at commas as a line of CSV, so that quotes keep a comma."""
    import csv

    return next(csv.reader([value]), [])


def help_text(invocation: Invocation) -> str:
    """Return the help for what was asked: all commands, or one command's flags."""
    from rehearsal.databricks_cli import STAND_IN

    lines = [f"{STAND_IN}.", "For rehearsing and testing only; a real deployment uses the real CLI.", ""]
    if invocation.command in COMMANDS:
        lines += [COMMANDS[invocation.command][0], "", "Usage:", f"  databricks {invocation.command} [flags]", "", "Flags:"]
        for flag in flags_of(invocation.command):
            short = f"-{flag.short}, " if flag.short else "    "
            lines.append(f"  {short}--{flag.name:<22} {flag.help}")
        return "\n".join(lines) + "\n"
    lines += ["Usage:", "  databricks COMMAND [flags]", "", "Commands:"]
    lines += [f"  {name:<28} {text}" for name, (text, _) in COMMANDS.items()]
    return "\n".join(lines) + "\n"
