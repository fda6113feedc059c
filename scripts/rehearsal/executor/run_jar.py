"""Runs a JAR task with the machine's own Java; a machine without one fails the task and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused

OPEN_MODULES = ("java.base/java.nio=ALL-UNNAMED", "java.base/sun.nio.ch=ALL-UNNAMED", "java.base/java.lang=ALL-UNNAMED")


def run_jar(environment: TaskEnvironment) -> None:
    """Run the main class of a `spark_jar_task` from its JAR libraries.

    A JAR that uses Spark finds the local server by SPARK_REMOTE and needs Spark's Connect client among its own libraries, or in the
    folder that BUNDLEFLOW_SPARK_JARS names.

    Raises:
        TaskRefused: there is no Java, no JAR, or the program failed.
    """
    spec = environment.spec
    java = _java()
    main = str(spec.options.get("main_class_name", ""))
    jars = [environment.paths.physical(jar) for jar in spec.jars]
    missing = [logical for logical, jar in zip(spec.jars, jars, strict=True) if not Path(jar).is_file()]
    if not jars or missing:
        raise TaskRefused(f"The JAR task has no JAR to run: {', '.join(missing) or 'its libraries name none'}.")
    extra = os.environ.get("BUNDLEFLOW_SPARK_JARS", "")
    if extra:
        jars += sorted(str(path) for path in Path(extra).glob("*.jar"))
    options = [word for module in OPEN_MODULES for word in ("--add-opens", module)]
    sys.stdout.flush()
    done = subprocess.run([java, *options, "-cp", os.pathsep.join(jars), main, *spec.arguments], check=False)
    if done.returncode != 0:
        raise TaskRefused(f"The main class {main} ended with exit code {done.returncode}; its output is in the task's log.")


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home and (Path(home) / "bin" / "java").is_file() else shutil.which("java")
    if not found:
        raise TaskRefused("A JAR task needs a Java virtual machine, and this machine has none (neither JAVA_HOME nor `java` on PATH).")
    return found
