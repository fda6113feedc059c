"""Plans of another program: handed on byte for byte, remembered when they went well, refused as the server refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from pyspark.sql.connect.proto import base_pb2

from rehearsal.executor.plan_listener import SERVICE, PlanListener

SECONDS = 20


def plan(table: str) -> bytes:
    request = base_pb2.ExecutePlanRequest(session_id="s")
    request.plan.root.read.named_table.unparsed_identifier = table
    return bytes(request.SerializeToString())


@pytest.fixture(scope="module")
def spark() -> Iterator[str]:
    """A server that answers every plan with two messages, and one about the table `secret` with a refusal."""

    def execute(request: bytes, context: Any) -> Iterator[bytes]:
        assert dict(context.invocation_metadata())["x-task"] == "value"
        if b"secret" in request:
            context.set_trailing_metadata((("x-details", "of the error"),))
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no right to read it")
        yield from (b"one", request)

    handlers = {
        "ExecutePlan": grpc.unary_stream_rpc_method_handler(execute),
        "Config": grpc.unary_unary_rpc_method_handler(lambda request, _: request + b"!"),
        "AddArtifacts": grpc.stream_unary_rpc_method_handler(lambda requests, _: b"+".join(requests)),
    }
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"sc://127.0.0.1:{port}/;session_id=s"
    server.stop(None).wait(SECONDS)


def test_calls_are_handed_on_and_good_plans_are_remembered(spark: str) -> None:
    with PlanListener(spark) as listener:
        parts = urlsplit(listener.remote)
        assert parts.path == "/;session_id=s"
        with grpc.insecure_channel(parts.netloc) as channel:
            path = f"/{SERVICE.full_name}/"
            execute = channel.unary_stream(f"{path}ExecutePlan")
            metadata = (("x-task", "value"),)
            assert list(execute(plan("orders"), metadata=metadata, timeout=SECONDS)) == [b"one", plan("orders")]
            with pytest.raises(grpc.RpcError) as refused:
                list(execute(plan("secret"), metadata=metadata, timeout=SECONDS))
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
            assert refused.value.details() == "no right to read it"
            assert dict(refused.value.trailing_metadata())["x-details"] == "of the error"
            assert channel.unary_unary(f"{path}Config")(b"set", timeout=SECONDS) == b"set!"
            assert channel.stream_unary(f"{path}AddArtifacts")(iter([b"a", b"b"]), timeout=SECONDS) == b"a+b"
            with pytest.raises(grpc.RpcError) as unknown:
                channel.unary_unary(f"{path}Interrupt")(b"", timeout=SECONDS)
            assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert [each.root.read.named_table.unparsed_identifier for each in listener.plans] == ["orders"]
