"""The Workspace API: status, list, export, import, mkdirs, delete; and the CLI's `workspace-files/import-file`."""

from __future__ import annotations

import base64
import binascii
import posixpath
from email.parser import BytesParser
from email.policy import HTTP

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, invalid
from rehearsal.workspace.files import WorkspaceObject
from rehearsal.workspace.http import Json, body, flag, number, ok, query, required
from rehearsal.workspace.notebooks import EXTENSION_OF_LANGUAGE, LANGUAGE_OF_EXTENSION, recognise, to_jupyter, to_source
from rehearsal.workspace.services import Services

API = "/api/2.0/workspace"
IMPORT_FILE = "/api/2.0/workspace-files/import-file/"
ACL_KIND = {"DIRECTORY": "directories", "NOTEBOOK": "notebooks", "FILE": "files"}
LARGEST_IMPORT = 10 * 1024 * 1024


def routes(services: Services) -> list[Route]:
    """Routes of the Workspace API."""
    return [*_read_routes(services), *_change_routes(services)]


def _read_routes(services: Services) -> list[Route]:
    files = services.files

    async def status(request: Request) -> Response:
        path = query(request, "path")
        return ok(_shown(files.get(path), path, export_info=flag(request.query_params.get("return_export_info"))))

    async def listed(request: Request) -> Response:
        path = query(request, "path")
        since = number(request.query_params.get("notebooks_modified_after") or 0, "notebooks_modified_after")
        found = [_shown(item, path) for item in files.children(path) if item.type != "NOTEBOOK" or item.modified_at >= since]
        return ok({"objects": found} if found else {})

    async def export(request: Request) -> Response:
        path, form = query(request, "path"), request.query_params.get("format") or "SOURCE"
        item = files.get(path)
        content, kind = _exported(item, files.read(path) if item.type != "DIRECTORY" else b"", form)
        if flag(request.query_params.get("direct_download")):
            return Response(content, media_type="application/octet-stream")
        return ok({"content": base64.b64encode(content).decode(), "file_type": kind})

    return [
        Route(f"{API}/get-status", status, methods=["GET"]),
        Route(f"{API}/list", listed, methods=["GET"]),
        Route(f"{API}/export", export, methods=["GET"]),
    ]


def _change_routes(services: Services) -> list[Route]:
    files = services.files

    async def mkdirs(request: Request) -> Response:
        files.make_directory(str(required(await body(request), "path")))
        return ok()

    async def delete(request: Request) -> Response:
        values = await body(request)
        for gone in files.delete(str(required(values, "path")), recursive=flag(values.get("recursive"))):
            if gone.type in ACL_KIND:
                services.access.deleted(ACL_KIND[gone.type], gone.object_id)
            for hook in services.on_object_gone:
                hook(gone)
        return ok()

    async def import_file(request: Request) -> Response:
        # The CLI sends the path as one encoded segment; plain slashes name the same file.
        path = "/" + str(request.path_params["path"]).lstrip("/")
        overwrite = flag(request.query_params.get("overwrite"))
        return ok(_import_auto(services, path, await request.body(), overwrite=overwrite))

    async def import_(request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        values = await _form(request) if kind.startswith("multipart/form-data") else await body(request)
        path, overwrite = str(required(values, "path")), flag(values.get("overwrite"))
        content = values.get("content", b"")
        if isinstance(content, str):
            try:
                content = base64.b64decode(content, validate=True)
            except binascii.Error as problem:
                raise invalid("content is not base64") from problem
        if len(content) > LARGEST_IMPORT:
            raise ApiError(
                "MAX_NOTEBOOK_SIZE_EXCEEDED", f"File size imported is ({len(content)} bytes), exceeded max size ({LARGEST_IMPORT} bytes)"
            )
        _import(services, path, content, values.get("format") or "SOURCE", values.get("language"), overwrite=overwrite)
        return ok()

    return [
        Route(f"{API}/mkdirs", mkdirs, methods=["POST"]),
        Route(f"{API}/delete", delete, methods=["POST"]),
        Route(f"{API}/import", import_, methods=["POST"]),
        Route(f"{IMPORT_FILE}{{path:path}}", import_file, methods=["POST"]),
    ]


def _import_auto(services: Services, path: str, content: bytes, *, overwrite: bool) -> Json:
    """Store a file, or a notebook without its extension when the content says that it is one."""
    notebook = recognise(path, content)
    if notebook is None:
        item = services.files.write_file(path, content, overwrite=overwrite)
        return _shown(item, path)
    item = services.files.write_notebook(notebook.path, content, notebook.language, jupyter=notebook.jupyter, overwrite=overwrite)
    return _shown(item, path)


def _import(services: Services, path: str, content: bytes, form: str, language: object, *, overwrite: bool) -> None:
    """Store what `workspace/import` got, by its format."""
    match form:
        case "AUTO":
            _import_auto(services, path, content, overwrite=overwrite)
        case "RAW":
            services.files.write_file(path, content, overwrite=overwrite)
        case "SOURCE":
            extension = posixpath.splitext(path)[1].lower()
            named = str(language or LANGUAGE_OF_EXTENSION.get(extension) or "").upper()
            if named not in EXTENSION_OF_LANGUAGE:
                raise invalid(f"language must be one of {', '.join(EXTENSION_OF_LANGUAGE)} for format SOURCE, not {language!r}")
            services.files.write_notebook(path, content, named, jupyter=False, overwrite=overwrite)
        case "JUPYTER":
            named = _jupyter_language(content)
            services.files.write_notebook(path, content, named, jupyter=True, overwrite=overwrite)
        case _:
            raise ApiError(
                "FEATURE_DISABLED", f"The local workspace does not imitate importing format `{form}`; it knows AUTO, RAW, SOURCE, JUPYTER."
            )


def _jupyter_language(content: bytes) -> str:
    """The language of a Jupyter document.

    Raises:
        ApiError: The content is no such document.
    """
    notebook = recognise("/x.ipynb", content)
    if notebook is None:
        raise invalid("The content is not a valid Jupyter document")
    return notebook.language


def _exported(item: WorkspaceObject, content: bytes, form: str) -> tuple[bytes, str]:
    """The bytes of an object in a format, and the extension that goes with it."""
    if item.type == "FILE":
        if form in {"SOURCE", "AUTO", "RAW"}:
            return content, posixpath.splitext(item.path)[1].lstrip(".")
        raise invalid(f"Format {form} is not supported for files.")
    if item.type == "NOTEBOOK" and item.language:
        extension = EXTENSION_OF_LANGUAGE[item.language].lstrip(".")
        if form == "SOURCE" or (form in {"AUTO", "RAW"} and item.format == "SOURCE"):
            return (to_source(content) if item.format == "JUPYTER" else content), extension
        if form in {"JUPYTER", "AUTO", "RAW"}:
            return (content if item.format == "JUPYTER" else to_jupyter(content, item.language)), "ipynb"
    raise ApiError("FEATURE_DISABLED", f"The local workspace does not imitate exporting a {item.type.lower()} in format `{form}`.")


def _shown(item: WorkspaceObject, asked: str, *, export_info: bool = False) -> Json:
    """An object as the API answers it, with `/Workspace` in its path when the caller said so."""
    prefix = "/Workspace" if asked.startswith("/Workspace") and item.path != "/" else ""
    shown: Json = {"object_type": item.type, "path": prefix + item.path, "object_id": item.object_id, "resource_id": str(item.object_id)}
    if item.type in {"FILE", "NOTEBOOK"}:
        shown |= {"created_at": item.created_at, "modified_at": item.modified_at}
    if item.type == "FILE":
        shown["size"] = item.size
    if item.type == "NOTEBOOK":
        shown["language"] = item.language
        if export_info:
            shown["repos_export_format"] = item.format
    return shown


async def _form(request: Request) -> Json:
    """The fields of a multipart form; `content` as bytes."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + await request.body())
    fields: Json = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        fields[str(name)] = payload if name == "content" else payload.decode()
    return fields
