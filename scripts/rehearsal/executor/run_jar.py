"""Runs a JAR task with the machine's own Java, in the task's Spark session; a machine without Java fails the task and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rehearsal.executor import java
from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused

OPEN_MODULES = ("java.base/java.nio=ALL-UNNAMED", "java.base/sun.nio.ch=ALL-UNNAMED", "java.base/java.lang=ALL-UNNAMED")

QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Options for a program that runs for seconds and shares the machine."""


def run_jar(environment: TaskEnvironment) -> None:
    """Run the main class of a `spark_jar_task` from its JAR libraries.

    A JAR that uses Spark needs Spark's Connect client, and the JARs of its Maven libraries, in the folder that BUNDLEFLOW_SPARK_JARS
    names: nothing is downloaded. It works in the task's session, so it sees the workspace's tables; only the DataFrame API and SQL
    are there, no RDD and no SparkContext.

    Raises:
        TaskRefused: there is no Java, no JAR, a Maven library is missing, or the program failed.
    """
    spec = environment.spec
    program = java.program(os.environ)
    if program is None:
        raise TaskRefused("A JAR task needs a Java virtual machine, and this machine has none (neither JAVA_HOME nor `java` on PATH).")
    main = str(spec.options.get("main_class_name", ""))
    jars = [environment.paths.physical(jar) for jar in spec.jars]
    missing = [logical for logical, jar in zip(spec.jars, jars, strict=True) if not Path(jar).is_file()]
    if not jars or missing:
        raise TaskRefused(f"The JAR task has no JAR to run: {', '.join(missing) or 'its libraries name none'}.")
    jars += _others(environment)
    client = any(java.is_spark_client(Path(jar)) for jar in jars)
    options = [word for module in OPEN_MODULES for word in ("--add-opens", module)]
    command = [program, *QUICK, *options, "-cp", os.pathsep.join(jars), main, *spec.arguments]
    sys.stdout.flush()
    done = _listened_to(environment, command) if client and environment.has_spark else subprocess.run(command, check=False)
    if done.returncode != 0:
        raise TaskRefused(f"The main class {main} ended with exit code {done.returncode}; its output is in the task's log.")


def _listened_to(environment: TaskEnvironment, command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program that uses Spark, and take note of what its plans read and wrote."""
    from rehearsal.executor.plan_listener import PlanListener

    with PlanListener(_remote(environment)) as listener:
        done = subprocess.run(command, check=False, env={**os.environ, "SPARK_REMOTE": listener.remote})
    environment.observe(listener.plans)
    return done


def _others(environment: TaskEnvironment) -> list[str]:
    """The JARs of the folder that BUNDLEFLOW_SPARK_JARS names; every Maven library of the task must be among them."""
    folder = java.client_folder(os.environ)
    found = sorted(folder.glob("*.jar")) if folder else []
    names = {jar.name for jar in found}
    for coordinates in environment.spec.maven:
        name = java.file_of(coordinates)
        if name not in names:
            raise TaskRefused(
                f"The Maven library {coordinates} is not on this machine, and nothing is downloaded in a rehearsal. Put {name} into a "
                f"folder, with what it needs, and name the folder in {java.FOLDER_VARIABLE} ({folder or 'it is not set'})."
            )
    return [str(jar) for jar in found]


def _remote(environment: TaskEnvironment) -> str:
    """Address of the Spark server with the task's own session, in which the workspace's tables are attached."""
    client = environment.spark.client
    remote = os.environ["SPARK_REMOTE"]
    separator = ";" if "/;" in remote else "/;"
    return f"{remote}{separator}session_id={client._session_id}"
