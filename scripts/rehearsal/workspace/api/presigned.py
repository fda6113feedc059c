"""Big uploads and downloads by presigned URLs: answered as by a workspace that has them switched off, so clients use the Files API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, invalid
from rehearsal.workspace.http import ok, query
from rehearsal.workspace.services import Services

API = "/api/2.0/fs"
ABORT = "/_local/aborted-upload"
REASON = "FILES_API_API_IS_NOT_ENABLED"
"""What a client takes as the sign to send the file in one piece (google.rpc.ErrorInfo, as databricks-sdk reads it)."""


def routes(services: Services) -> list[Route]:
    """Routes of uploads in parts and of presigned URLs."""

    async def initiate(request: Request) -> Response:
        if query(request, "action") != "initiate-upload":
            raise invalid("action: an upload in parts was never begun here")
        return ok({"multipart_upload": {"session_token": services.ids.hex()}})

    async def disabled(_: Request) -> Response:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": REASON, "domain": "filesystem.databricks.com"}
        raise ApiError("PERMISSION_DENIED", "Presigned URLs API is not enabled", details=[info])

    async def abort_url(request: Request) -> Response:
        host = request.headers.get("host", services.url.removeprefix("http://"))
        return ok({"abort_upload_url": {"url": f"http://{host}{ABORT}", "headers": []}})

    async def aborted(_: Request) -> Response:
        return Response(status_code=204)

    return [
        Route(f"{API}/files/{{path:path}}", initiate, methods=["POST"]),
        Route(f"{API}/create-upload-part-urls", disabled, methods=["POST"]),
        Route(f"{API}/create-download-url", disabled, methods=["POST"]),
        Route(f"{API}/create-abort-upload-url", abort_url, methods=["POST"]),
        Route(ABORT, aborted, methods=["DELETE"]),
    ]
