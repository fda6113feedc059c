"""Makes a project from a template: asks copier to render it, with the kit's commit written into the callers."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bundleflow import __version__
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.templates_callers import CALLERS, KIT_REPOSITORY, KIT_ROOT, jinja_environment, pinned

SECONDS_FOR_GIT = 10


@dataclass(frozen=True)
class Kit:
    """The checkout of the kit that a project is made from: its folder, and the 40-digit commit that callers are pinned to."""

    root: Path
    sha: str

    @property
    def short(self) -> str:
        """How the pin reads for people."""
        return f"{KIT_REPOSITORY}@{self.sha[:12]} (v{__version__})"


@dataclass(frozen=True)
class NewProject:
    """What was made: `files` is the number of files, `next_steps` are pairs of a command and what it is for."""

    folder: Path
    template: str
    kit: Kit
    files: int
    next_steps: Sequence[tuple[str, str]]


def new_project(template: str, folder: Path, *, answers: Mapping[str, str], ask: bool, kit_root: Path = KIT_ROOT) -> NewProject:
    """Render a template into a folder.

    Args:
        template: A key of `templates`.
        folder: New, empty, or empty but for `.git`.
        answers: Answers by the question's name (see copier.yml); they are not asked again.
        ask: Whether to ask for the others on the terminal; otherwise each default is taken.
        kit_root: Folder of the kit's checkout.

    Raises:
        BundleflowError: Unknown template or question, an answer that is refused, a folder with files in it, a kit that is no
            git checkout, or copier is missing.
    """
    _check_template(template, kit_root)
    _check_folder(folder)
    kit = Kit(kit_root, kit_commit(kit_root))
    copier = _copier()
    with tempfile.TemporaryDirectory(prefix="bundleflow-new-") as temporary:
        source = _template_source(kit_root, template, Path(temporary))
        _check_answers(source, template, answers)
        files = _render(copier, source, template, folder, kit, answers, ask)
    return NewProject(folder, template, kit, files, _next_steps(folder))


def render_again(source: Path, template: str, folder: Path, *, sha: str, answers: Mapping[str, str]) -> None:
    """Render a template as it is in `source` with known answers; what they do not say has its default.

    Args:
        source: A folder with `copier.yml` and `templates/`, such as a checkout of the kit at an older commit.
        template: A folder below templates/.
        folder: A new folder.
        sha: The kit's commit that the callers are pinned to.
        answers: Answers by the question's name; those to questions that are gone are left aside.

    Raises:
        BundleflowError: As `new_project`.
    """
    with tempfile.TemporaryDirectory(prefix="bundleflow-render-") as temporary:
        copied = _template_source(source, template, Path(temporary))
        known = {key: value for key, value in answers.items() if key in questions(copied)}
        _render(_copier(), copied, template, folder, Kit(source, sha), known, ask=False)


def templates(root: Path = KIT_ROOT) -> dict[str, str]:
    """Name of each template (a folder below templates/), and what it is: the choices of copier.yml's first question.

    Args:
        root: Folder of the kit's checkout; where copier.yml is missing (an installed wheel) there are no templates.
    """
    if not (root / "copier.yml").is_file():
        return {}
    choices: dict[str, str] = questions(root)["template"]["choices"]
    return {name: label for label, name in choices.items()}


def questions(root: Path = KIT_ROOT) -> dict[str, Any]:
    """The questions of copier.yml by their name, those that are never asked included."""
    import yaml

    content = yaml.safe_load((root / "copier.yml").read_text(encoding="utf-8"))
    return {key: value for key, value in content.items() if not key.startswith("_")}


def kit_commit(root: Path) -> str:
    """The commit of the kit's checkout, as 40 hexadecimal digits.

    Raises:
        BundleflowError: `root` is no git checkout (an installed wheel, an unpacked archive), or git is missing.
    """
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"],
            capture_output=True,
            text=True,
            timeout=SECONDS_FOR_GIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_commit(root, str(error)) from error
    lines = found.stdout.splitlines()
    # A folder inside another repository would give that repository's commit.
    ours = found.returncode == 0 and len(lines) == 2 and Path(lines[0]).samefile(root)
    if not ours or not re.fullmatch(r"[0-9a-f]{40}", lines[1]):
        raise _no_commit(root, found.stderr.strip())
    return lines[1]


def _no_commit(root: Path, details: str) -> BundleflowError:
    return BundleflowError(
        f"The commit of the kit in {root} is not known, so the project's workflows could not be pinned to it.",
        fix=f"Clone https://github.com/{KIT_REPOSITORY} with git, run scripts/setup there, and use .venv/bin/bundleflow of that checkout.",
        exit_code=ExitCode.USAGE,
        details=details,
    )


def _check_template(template: str, root: Path) -> None:
    known = templates(root)
    if template in known:
        return
    close = get_close_matches(template, known, n=1)
    listing = "; ".join(f"`{name}`: {what}" for name, what in known.items()) or "none, because this is no checkout of the kit"
    raise BundleflowError(
        f"There is no template `{template}`.",
        fix=f"Did you mean `{close[0]}`?" if close else f"Templates: {listing}.",
        exit_code=ExitCode.USAGE,
    )


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BundleflowError(f"{folder} is a file.", fix="Give a folder.", exit_code=ExitCode.USAGE)
    there = sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.exists() else []
    if there:
        shown = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
        raise BundleflowError(
            f"{folder} has files in it already: {shown}. Nothing is ever overwritten.",
            fix="Give a new folder, or one that is empty but for .git.",
            exit_code=ExitCode.USAGE,
        )


def _copier() -> Any:
    try:
        import copier
    except ModuleNotFoundError as error:
        raise BundleflowError(
            "`bundleflow new` needs copier, which is not installed here.",
            fix="Run scripts/setup in a checkout of bundleflow, or install it beside the kit: pip install copier==9.19.1",
            exit_code=ExitCode.USAGE,
        ) from error
    return copier


def _template_source(kit_root: Path, template: str, temporary: Path) -> Path:
    """A copy of the template and its questions outside git.

    From a git repository copier would take the newest tag, or clone and commit what is not committed; this is the checkout as it is.
    """
    source = temporary / "kit"
    # Templates of the first commits have no callers in common.
    for folder in (f"templates/{template}", *([CALLERS] if (kit_root / CALLERS).is_dir() else [])):
        shutil.copytree(kit_root / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(kit_root / "copier.yml", source / "copier.yml")
    return source


def _check_answers(source: Path, template: str, answers: Mapping[str, str]) -> None:
    asked = [key for key, question in questions(source).items() if key != "template" and _asked(source, question, template)]
    for key in answers:
        if key not in asked:
            close = get_close_matches(key, asked, n=1)
            raise BundleflowError(
                f"`--data {key}=...` answers no question of template `{template}`.",
                fix=f"Did you mean `{close[0]}`?" if close else f"Questions: {', '.join(f'`{each}`' for each in asked)}.",
                exit_code=ExitCode.USAGE,
            )


def _asked(source: Path, question: Mapping[str, Any], template: str) -> bool:
    """Whether a template has a question: its `when` is a constant, or an expression about `template`."""
    when = question.get("when", True)
    return when if isinstance(when, bool) else jinja_environment(source).from_string(when).render(template=template) == "True"


def _render(copier: Any, source: Path, template: str, folder: Path, kit: Kit, answers: Mapping[str, str], ask: bool) -> int:
    if ask and not sys.stdin.isatty():
        raise BundleflowError(
            "There is no terminal to ask on.",
            fix="Add --defaults to take each default, and --data KEY=VALUE for what should differ.",
            exit_code=ExitCode.USAGE,
        )
    given = {**answers, "template": template, **pinned(kit.sha)}
    try:
        copier.run_copy(
            str(source),
            folder,
            data=given,
            user_defaults={"project_name": _project_name(folder, template)},
            defaults=not ask,
            quiet=True,
        )
    except ValueError as error:  # an answer that a question's validator refuses
        raise BundleflowError(
            f"An answer was refused: {' '.join(str(error).split())}",
            fix="Correct the value given by --data.",
            exit_code=ExitCode.USAGE,
        ) from error
    except OSError as error:
        raise BundleflowError(
            f"{folder} could not be written: {error.strerror or error}.",
            fix="Give a folder that you may write, on a disk with room.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error
    return sum(1 for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)


def _project_name(folder: Path, template: str) -> str:
    """The folder's name as a project's name, where it can be one; else the template's."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40].strip("-")
    return name if re.match(r"[a-z]", name) else template


def _next_steps(folder: Path) -> list[tuple[str, str]]:
    where = shlex.quote(str(folder))
    return [
        (f"cd {where}", ""),
        ("git init -b main && git add .", "GitHub wants a repository,"),
        ("git commit -m Start", "with a first commit"),
        ("bundleflow rehearse .", "play its way to production on this machine"),
        ("less README.md", "what GitHub and Databricks need once, before the first push"),
    ]
