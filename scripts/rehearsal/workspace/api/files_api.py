"""The Files API: files and folders below /Volumes, and model files below /Models."""

from __future__ import annotations

import shutil
from email.utils import formatdate
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, catalog_error, does_not_exist, invalid
from rehearsal.workspace.http import flag, ok, page
from rehearsal.workspace.securables import MODELS, VOLUMES, Securables
from rehearsal.workspace.services import Services

API = "/api/2.0/fs"
LEVELS = {"Volumes": 3, "Models": 4}
"""How many names follow the first one before the files begin: catalog, schema, volume; or catalog, schema, model, version."""


def routes(services: Services) -> list[Route]:
    """Routes of files and directories."""
    places = _Places(services)
    incoming = services.data / "incoming"

    async def upload(request: Request) -> Response:
        path = places.find(request)
        if path.is_dir():
            raise ApiError("ALREADY_EXISTS", f"{_asked(request)} is a directory.")
        if path.exists() and not flag(request.query_params.get("overwrite", "true")):
            raise ApiError("ALREADY_EXISTS", f"The file being created already exists: {_asked(request)}")
        incoming.mkdir(exist_ok=True)
        temporary = incoming / services.ids.hex()
        try:
            with temporary.open("wb") as file:
                async for chunk in request.stream():
                    file.write(chunk)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)  # left only where the client went away
        return Response(status_code=204)

    async def download(request: Request) -> Response:
        path = places.file(request)
        headers = {"Last-Modified": formatdate(path.stat().st_mtime, usegmt=True)}
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    async def delete_file(request: Request) -> Response:
        places.file(request).unlink()
        return Response(status_code=204)

    return [
        Route(f"{API}/files/{{path:path}}", upload, methods=["PUT"]),
        Route(f"{API}/files/{{path:path}}", download, methods=["GET", "HEAD"]),
        Route(f"{API}/files/{{path:path}}", delete_file, methods=["DELETE"]),
        *_directory_routes(places),
    ]


def _directory_routes(places: _Places) -> list[Route]:
    async def create(request: Request) -> Response:
        path = places.find(request)
        if path.is_file():
            raise ApiError("ALREADY_EXISTS", f"{_asked(request)} is a file.")
        path.mkdir(parents=True, exist_ok=True)
        return Response(status_code=204)

    async def metadata(request: Request) -> Response:
        places.directory(request)
        return Response(status_code=200)

    async def listed(request: Request) -> Response:
        folder, asked = places.directory(request), _asked(request).rstrip("/")
        entries = sorted(folder.iterdir(), key=lambda p: p.name)
        shown, token = page(request, entries, default=1000, largest=1000, size_name="page_size")
        contents = [_entry(item, f"{asked}/{item.name}") for item in shown]
        return ok(({"contents": contents} if contents else {}) | ({"next_page_token": token} if token else {}))

    async def delete(request: Request) -> Response:
        folder = places.directory(request)
        if any(folder.iterdir()):
            raise ApiError("DIRECTORY_NOT_EMPTY", f"The directory being deleted is not empty: {_asked(request)}", status=400)
        if places.is_root(request):
            raise invalid(f"{_asked(request)} is the root of a volume")
        shutil.rmtree(folder)
        return Response(status_code=204)

    path = f"{API}/directories/{{path:path}}"
    return [
        Route(path, create, methods=["PUT"]),
        Route(path, metadata, methods=["HEAD"]),
        Route(path, listed, methods=["GET"]),
        Route(path, delete, methods=["DELETE"]),
    ]


class _Places:
    """Where paths of the Files API lie on disk.

    Args:
        services: The workspace's inner side.
    """

    def __init__(self, services: Services) -> None:
        self.services, self.securables = services, Securables(services)

    def find(self, request: Request) -> Path:
        """Where a path lies, whether something is there or not.

        Raises:
            ApiError: 404 without the volume or model, 400 for a path that is none, 501 for another root than /Volumes and /Models.
        """
        names = _asked(request).strip("/").split("/")
        if any(name in {"", ".", ".."} or "\0" in name for name in names):
            raise invalid(f"{_asked(request)} is not a valid path")
        if names[0] not in LEVELS:
            raise ApiError("FEATURE_DISABLED", f"The local workspace serves files below /Volumes and /Models, not {_asked(request)}.")
        level = LEVELS[names[0]]
        if len(names) <= level:
            raise invalid(f"{_asked(request)} does not name {'a volume' if level == 3 else 'a version of a model'}")
        if names[0] == "Models":
            model = self.securables.get(MODELS, ".".join(names[1:4]))
            return self.securables.folder(MODELS, str(model["full_name"])).joinpath(*names[4:])
        full_name = ".".join(names[1:4])
        if self.securables.find(VOLUMES, full_name) is None:
            raise catalog_error("VOLUME_DOES_NOT_EXIST", f"Volume '{full_name}' does not exist.")
        return self.securables.folder(VOLUMES, str(self.securables.get(VOLUMES, full_name)["full_name"])).joinpath(*names[4:])

    def file(self, request: Request) -> Path:
        """A file that is there."""
        path = self.find(request)
        if not path.is_file():
            raise ApiError("NOT_FOUND", f"The file being accessed is not found: {_asked(request)}")
        return path

    def directory(self, request: Request) -> Path:
        """A directory that is there."""
        path = self.find(request)
        if not path.is_dir():
            raise does_not_exist(f"The directory being accessed is not found: {_asked(request)}")
        return path

    def is_root(self, request: Request) -> bool:
        """Whether the path is a volume itself."""
        names = _asked(request).strip("/").split("/")
        return len(names) == LEVELS[names[0]] + 1


def _asked(request: Request) -> str:
    return "/" + str(request.path_params["path"]).lstrip("/")


def _entry(path: Path, name: str) -> dict[str, object]:
    about = path.stat()
    entry: dict[str, object] = {"path": name, "name": path.name, "is_directory": path.is_dir(), "last_modified": int(about.st_mtime * 1000)}
    return entry if path.is_dir() else entry | {"file_size": about.st_size}
