"""Stands between a Spark Connect client of another process and its server, hands every call on, and remembers the plans that went well."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from urllib.parse import urlsplit

import grpc
from pyspark.sql.connect.proto import base_pb2

SERVICE = base_pb2.DESCRIPTOR.services_by_name["SparkConnectService"]
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class PlanListener:
    """A server on this machine that a client is given instead of its own; use it in a `with` block. Time limits are the client's.

    Args:
        remote: Address of the real server, `sc://127.0.0.1:PORT/...`.
    """

    def __init__(self, remote: str) -> None:
        self.plans: list[Any] = []
        parts = urlsplit(remote)
        self._rest = parts.path
        self._channel = grpc.insecure_channel(parts.netloc, options=OPTIONS)
        handlers = {method.name: self._handler(method) for method in SERVICE.methods}
        self._server = grpc.server(ThreadPoolExecutor(8), options=OPTIONS)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def remote(self) -> str:
        """The address to give to the client; parameters are those of the real one."""
        return f"sc://127.0.0.1:{self._port}{self._rest}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait(10)
        self._channel.close()

    def _handler(self, method: Any) -> Any:
        """How one call of the service is answered: by what the real server answers, byte for byte."""
        path = f"/{SERVICE.full_name}/{method.name}"
        if method.server_streaming:
            call, seen = self._channel.unary_stream(path), method.name == "ExecutePlan"
            return grpc.unary_stream_rpc_method_handler(lambda request, context: self._stream(call, request, context, seen=seen))
        if method.client_streaming:
            sent = self._channel.stream_unary(path)
            return grpc.stream_unary_rpc_method_handler(lambda requests, context: _single(sent, requests, context))
        asked = self._channel.unary_unary(path)
        return grpc.unary_unary_rpc_method_handler(lambda request, context: _single(asked, request, context))

    def _stream(self, call: Any, request: bytes, context: Any, *, seen: bool) -> Iterator[bytes]:
        answers = call(request, metadata=_metadata(context))
        try:
            yield from answers
        except grpc.RpcError as error:
            _refuse(error, context)
        if seen:
            self.plans.append(base_pb2.ExecutePlanRequest.FromString(request).plan)


def _single(call: Any, request: Any, context: Any) -> bytes:
    try:
        return bytes(call(request, metadata=_metadata(context)))
    except grpc.RpcError as error:
        _refuse(error, context)
        raise


def _metadata(context: Any) -> list[tuple[str, Any]]:
    """What the client sent along, without what gRPC itself sets on each connection."""
    return [(key, value) for key, value in context.invocation_metadata() if key != "user-agent"]


def _refuse(error: Any, context: Any) -> None:
    """Answer as the server did, with the details of the error that Spark's clients read."""
    context.set_trailing_metadata(error.trailing_metadata() or ())
    context.abort(error.code(), error.details())
