"""Finds Java and Spark's Connect client on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

FOLDER_VARIABLE = "BUNDLEFLOW_SPARK_JARS"
"""Names the folder with Spark's Connect client for Java and whatever else JAR tasks need; nothing of it is downloaded."""

CLIENT = "spark-connect-client-jvm"


def program(environment: Mapping[str, str]) -> str | None:
    """Find `java`: in JAVA_HOME, else on PATH.

    Args:
        environment: The environment's variables.

    Returns:
        Its path, None where there is none.
    """
    home = environment.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java", path=environment.get("PATH", ""))


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the variables by which JAR tasks find Java and the client in an environment that has nothing else of this one."""
    found, folder = program(environment), client_folder(environment)
    home = {"JAVA_HOME": str(Path(found).resolve().parents[1])} if found else {}
    return {**home, **({FOLDER_VARIABLE: str(folder)} if folder else {})}


def client_folder(environment: Mapping[str, str]) -> Path | None:
    """Give the folder that `FOLDER_VARIABLE` names; None where it is not set, or no folder."""
    named = environment.get(FOLDER_VARIABLE, "")
    return Path(named) if named and Path(named).is_dir() else None


def is_spark_client(jar: Path) -> bool:
    """Say whether a JAR is Spark's Connect client."""
    return jar.name.startswith(CLIENT)


def file_of(coordinates: str) -> str:
    """Give the file name of a Maven library: `group:artifact:version` is `artifact-version.jar`."""
    parts = coordinates.split(":")
    return f"{parts[1]}-{parts[-1]}.jar" if len(parts) > 2 else f"{coordinates}.jar"


def why_no_jar_task(environment: Mapping[str, str]) -> str:
    """Say why JAR tasks cannot be run on this machine; an empty text where they can."""
    if program(environment) is None:
        return "this machine has no Java (neither JAVA_HOME nor `java` on PATH)"
    folder = client_folder(environment)
    if folder is None or not any(is_spark_client(jar) for jar in folder.glob("*.jar")):
        return f"Java is here, but Spark's Connect client is not: {FOLDER_VARIABLE} must name a folder with {CLIENT}_*.jar"
    return ""
