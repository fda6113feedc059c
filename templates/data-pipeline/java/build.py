"""Builds the JAR of the task customer_value with Maven and records its checksum; a step of its own, which no deployment runs.

python3 java/build.py           after a change of java/: builds, writes lib/customer-value.jar and lib/SHA256SUMS; commit both
python3 java/build.py --check   builds again and fails if the JAR that is committed is not what the source gives
python3 java/build.py --check --since COMMIT   the same, but builds only if java/ or lib/ changed since that commit

Needs a JDK 17 or newer and Maven. The checksums cover the source, too: `sha256sum --check lib/SHA256SUMS` and a unit test see
without any Java that somebody changed the source and forgot to build.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JAR = ROOT / "lib" / "customer-value.jar"
SUMS = ROOT / "lib" / "SHA256SUMS"
BUILT = ROOT / "java" / "target" / "customer-value.jar"
SECONDS = 600


def inputs() -> list[Path]:
    """The files that the JAR is made from."""
    return [ROOT / "java" / "pom.xml", *sorted((ROOT / "java" / "src").rglob("*.java"))]


def checksums(jar: Path) -> str:
    """The lines of SHA256SUMS for the source as it is and a JAR that is to be `lib/customer-value.jar`."""
    named = [(path, path) for path in inputs()] + [(jar, JAR)]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name.relative_to(ROOT)}" for path, name in named]
    return "\n".join(lines) + "\n"


def build() -> Path:
    """Build the JAR by Maven.

    Raises:
        SystemExit: There is no Maven, or it failed.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise SystemExit("java/build.py needs Maven: there is no `mvn` on PATH.")
    command = [maven, "--batch-mode", "--quiet", "--file", str(ROOT / "java" / "pom.xml"), "clean", "package"]
    done = subprocess.run(command, timeout=SECONDS, check=False)  # noqa: S603 - a fixed command
    if done.returncode != 0:
        raise SystemExit(f"Maven ended with exit code {done.returncode}; its words are above.")
    return BUILT


def changed_since(commit: str) -> bool:
    """Whether source or JAR are others than in a commit of this repository.

    Raises:
        SystemExit: git does not know the commit.
    """
    command = ["git", "-C", str(ROOT), "diff", "--quiet", "--end-of-options", commit, "HEAD", "--", "java", "lib"]
    code = subprocess.run(command, timeout=SECONDS, check=False).returncode  # noqa: S603 - arguments, no shell
    if code not in (0, 1):
        raise SystemExit(f"git cannot compare with {commit!r}; see its words above.")
    return code == 1


def main(arguments: list[str]) -> int:
    """Build, or check; returns the exit code."""
    parser = argparse.ArgumentParser(description="Builds lib/customer-value.jar from java/ and records its checksum.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the committed JAR is another one")
    parser.add_argument("--since", metavar="COMMIT", default="", help="with --check: build only if java/ or lib/ changed since")
    args = parser.parse_args(arguments)
    recorded = SUMS.read_text(encoding="utf-8") if SUMS.is_file() else ""
    if args.check and args.since and not changed_since(args.since) and checksums(JAR) == recorded:
        print(f"java/ and lib/ are as they were in {args.since}, and the checksums hold.")
        return 0
    sums = checksums(build())
    if not args.check:
        JAR.parent.mkdir(exist_ok=True)
        shutil.copyfile(BUILT, JAR)
        SUMS.write_text(sums, encoding="utf-8")
        print(f"{JAR.relative_to(ROOT)} and {SUMS.relative_to(ROOT)} are written; commit them with the source.")
        return 0
    if sums != recorded or checksums(JAR) != recorded:
        print(f"The JAR in lib/ is not what java/ gives. Built now:\n{sums}Recorded:\n{recorded}", file=sys.stderr)
        print("Run `python3 java/build.py` and commit lib/.", file=sys.stderr)
        return 1
    print(f"{JAR.relative_to(ROOT)} is what java/ gives.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
