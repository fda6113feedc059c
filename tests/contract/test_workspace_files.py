"""Workspace files and notebooks, and files of volumes, by the SDK and as the CLI asks."""

from __future__ import annotations

import base64
import io
import json
from urllib.parse import quote

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, ResourceAlreadyExists
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType
from local_workspace import LocalWorkspace

HOME = "/Users/tester@example.com"
NOTEBOOK = b"# Databricks notebook source\nprint(1)\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC A *title*\n"


@pytest.fixture
def client(workspace: LocalWorkspace) -> WorkspaceClient:
    return workspace.client()


@pytest.fixture
def folder(client: WorkspaceClient, request: pytest.FixtureRequest) -> str:
    path = f"{HOME}/{''.join(c if c.isalnum() else '-' for c in request.node.name)}"
    client.workspace.mkdirs(path)
    return path


def _import_file(workspace: LocalWorkspace, path: str, content: bytes, overwrite: str = "false") -> tuple[int, dict[str, object]]:
    return workspace.call("POST", f"/api/2.0/workspace-files/import-file/{quote(path, safe='')}?overwrite={overwrite}", content)


def test_a_file_comes_back_byte_by_byte(workspace: LocalWorkspace, folder: str) -> None:
    content = bytes(range(256)) * 300
    assert _import_file(workspace, f"{folder}/data.bin", content)[0] == 200
    status, got = workspace.call("GET", f"/api/2.0/workspace/export?path={folder}/data.bin&direct_download=true")
    assert (status, got) == (200, content)
    status, got = workspace.call("GET", f"/api/2.0/workspace/export?path={folder}/data.bin")
    assert base64.b64decode(got["content"]) == content


@pytest.mark.parametrize("name", ["a b.txt", "50%25.txt", "ä+&=.txt", "#hash.txt", "x;y.txt"])
def test_unusual_names_are_kept(workspace: LocalWorkspace, client: WorkspaceClient, folder: str, name: str) -> None:
    assert _import_file(workspace, f"/Workspace{folder}/{name}", b"x")[0] == 200
    assert [item.path for item in client.workspace.list(folder)] == [f"{folder}/{name}"]
    assert client.workspace.get_status(f"{folder}/{name}").object_type == ObjectType.FILE
    assert (workspace.data / "workspace" / folder.lstrip("/") / name).read_bytes() == b"x"


def test_import_without_the_folder_is_404(workspace: LocalWorkspace) -> None:
    status, answer = _import_file(workspace, f"{HOME}/not/there/x.txt", b"")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_file_that_is_there_is_409_and_a_notebook_400(workspace: LocalWorkspace, folder: str) -> None:
    for _ in range(2):
        file, notebook = _import_file(workspace, f"{folder}/deploy.lock", b"1"), _import_file(workspace, f"{folder}/nb.py", NOTEBOOK)
    assert (file[0], file[1]["error_code"]) == (409, "ALREADY_EXISTS")
    assert (notebook[0], notebook[1]["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert _import_file(workspace, f"{folder}/deploy.lock", b"2", "true")[0] == 200
    assert workspace.call("GET", f"/api/2.0/workspace/export?path={folder}/deploy.lock&direct_download=true")[1] == 2


@pytest.mark.parametrize(
    ("name", "content", "language"),
    [
        ("a.py", NOTEBOOK, Language.PYTHON),
        ("b.sql", b"-- Databricks notebook source\nselect 1", Language.SQL),
        ("c.scala", b"// Databricks notebook source\nval x = 1", Language.SCALA),
        ("d.r", b"# Databricks notebook source\nx <- 1", Language.R),
        ("e.ipynb", json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 0}).encode(), Language.PYTHON),
        ("f.py", b"print('no notebook')", None),
        ("g.ipynb", b"not json", None),
        ("h.txt", NOTEBOOK, None),
    ],
)
def test_a_notebook_loses_its_extension_and_keeps_its_language(
    workspace: LocalWorkspace, client: WorkspaceClient, folder: str, name: str, content: bytes, language: Language | None
) -> None:
    assert _import_file(workspace, f"{folder}/{name}", content)[0] == 200
    (item,) = client.workspace.list(folder)
    if language is None:
        assert (item.object_type, item.path) == (ObjectType.FILE, f"{folder}/{name}")
    else:
        assert (item.object_type, item.language, item.path) == (ObjectType.NOTEBOOK, language, f"{folder}/{name.split('.')[0]}")


def test_status_says_how_a_notebook_is_exported(workspace: LocalWorkspace, folder: str) -> None:
    _import_file(workspace, f"{folder}/nb.py", NOTEBOOK)
    _, status = workspace.call("GET", f"/api/2.0/workspace/get-status?path=/Workspace{folder}/nb&return_export_info=true")
    assert (status["path"], status["language"], status["repos_export_format"]) == (f"/Workspace{folder}/nb", "PYTHON", "SOURCE")


def test_notebooks_turn_into_jupyter_and_back(client: WorkspaceClient, folder: str) -> None:
    client.workspace.upload(f"{folder}/nb", io.BytesIO(NOTEBOOK), format=ImportFormat.SOURCE, language=Language.PYTHON)
    jupyter = client.workspace.download(f"{folder}/nb", format=ExportFormat.JUPYTER).read()
    assert [cell["cell_type"] for cell in json.loads(jupyter)["cells"]] == ["code", "markdown"]
    client.workspace.upload(f"{folder}/again", io.BytesIO(jupyter), format=ImportFormat.JUPYTER)
    assert client.workspace.download(f"{folder}/again", format=ExportFormat.SOURCE).read() == NOTEBOOK


def test_upload_of_the_sdk_keeps_binary_content(client: WorkspaceClient, folder: str) -> None:
    content = b"\r\n--x\r\n\x00\xff\n\r\x0c\x85end\r\n"
    client.workspace.upload(f"{folder}/x.bin", io.BytesIO(content), format=ImportFormat.AUTO)
    assert client.workspace.download(f"{folder}/x.bin").read() == content
    with pytest.raises(DatabricksError):
        client.workspace.upload(f"{folder}/x.bin", io.BytesIO(b""), format=ImportFormat.AUTO)


def test_import_by_json_and_its_refusals(client: WorkspaceClient, folder: str) -> None:
    text = base64.b64encode(b"select 1").decode()
    client.workspace.import_(f"{folder}/q", content=text, format=ImportFormat.SOURCE, language=Language.SQL)
    assert client.workspace.get_status(f"{folder}/q").language == Language.SQL
    with pytest.raises(BadRequest):
        client.workspace.import_(f"{folder}/r", content=text, format=ImportFormat.SOURCE)
    with pytest.raises(DatabricksError, match="DBC"):
        client.workspace.import_(f"{folder}/s", content=text, format=ImportFormat.DBC)


def test_delete_needs_recursive_for_a_full_folder(workspace: LocalWorkspace, client: WorkspaceClient, folder: str) -> None:
    _import_file(workspace, f"{folder}/x", b"1")
    with pytest.raises(BadRequest) as refused:
        client.workspace.delete(folder)
    assert refused.value.error_code == "DIRECTORY_NOT_EMPTY"
    client.workspace.delete(folder, recursive=True)
    with pytest.raises(NotFound):
        client.workspace.get_status(f"{folder}/x")
    with pytest.raises(NotFound):
        client.workspace.delete(folder, recursive=True)
    assert not (workspace.data / "workspace" / folder.lstrip("/")).exists()


@pytest.mark.parametrize("path", ["/Users/../../../etc/passwd", "relative", "/Workspace/../x", "/a/..%2f..%2fx/../y"])
def test_no_path_leaves_the_tree(workspace: LocalWorkspace, path: str) -> None:
    status, answer = workspace.call("POST", "/api/2.0/workspace/mkdirs", {"path": path})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    if path.startswith("/"):
        assert _import_file(workspace, path, b"x", "true")[0] == 400


def test_top_folders_are_protected(client: WorkspaceClient) -> None:
    for path in ("/", "/Users", "/Workspace/Shared"):
        with pytest.raises(BadRequest):
            client.workspace.delete(path, recursive=True)


def test_a_file_and_a_folder_do_not_share_a_path(workspace: LocalWorkspace, client: WorkspaceClient, folder: str) -> None:
    _import_file(workspace, f"{folder}/x", b"1")
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.mkdirs(f"{folder}/x")
    with pytest.raises(DatabricksError):
        client.workspace.mkdirs(f"{folder}/x/y")
    assert _import_file(workspace, folder, b"1", "true")[0] == 400


@pytest.fixture(scope="module")
def volume(workspace: LocalWorkspace) -> str:
    client = workspace.client()
    client.schemas.create("files", "main")
    client.volumes.create("main", "files", "raw", VolumeType.MANAGED)
    return "/Volumes/main/files/raw"


def test_files_of_a_volume(workspace: LocalWorkspace, client: WorkspaceClient, volume: str) -> None:
    content = bytes(range(256)) * 5000
    client.files.upload(f"{volume}/deep/er/x y.bin", io.BytesIO(content))
    downloaded = client.files.download(f"{volume}/deep/er/x y.bin").contents
    assert downloaded is not None
    assert downloaded.read() == content
    assert client.files.get_metadata(f"{volume}/deep/er/x y.bin").content_length == len(content)
    assert (workspace.data / "volumes/main/files/raw/deep/er/x y.bin").read_bytes() == content
    with pytest.raises(DatabricksError) as refused:
        client.files.upload(f"{volume}/deep/er/x y.bin", io.BytesIO(b""), overwrite=False)
    assert refused.value.error_code == "ALREADY_EXISTS"
    client.files.delete(f"{volume}/deep/er/x y.bin")
    with pytest.raises(NotFound):
        client.files.delete(f"{volume}/deep/er/x y.bin")


def test_folders_of_a_volume_are_paged(client: WorkspaceClient, volume: str) -> None:
    client.files.create_directory(f"{volume}/many")
    for number in range(7):
        client.files.upload(f"{volume}/many/{number}.txt", io.BytesIO(b"x" * number))
    entries = list(client.files.list_directory_contents(f"{volume}/many", page_size=3))
    assert [(entry.name, entry.file_size) for entry in entries] == [(f"{number}.txt", number) for number in range(7)]
    with pytest.raises(BadRequest):
        client.files.delete_directory(f"{volume}/many")
    client.files.create_directory(f"{volume}/empty")
    client.files.delete_directory(f"{volume}/empty")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(f"{volume}/empty")


@pytest.mark.parametrize("path", ["/Volumes/main/files/nothing/x", "/Volumes/main/files/raw/../../x", "/Volumes/main", "/dbfs/x"])
def test_paths_that_are_no_volume_are_refused(client: WorkspaceClient, volume: str, path: str) -> None:
    with pytest.raises(DatabricksError):
        client.files.upload(path, io.BytesIO(b"x"))


def test_a_big_file_goes_through_in_one_piece_or_parts(client: WorkspaceClient, volume: str) -> None:
    content = b"0123456789abcdef" * (4 * 1024 * 1024)
    client.files.upload(f"{volume}/big.bin", io.BytesIO(content))
    downloaded = client.files.download(f"{volume}/big.bin").contents
    assert downloaded is not None
    assert downloaded.read() == content
