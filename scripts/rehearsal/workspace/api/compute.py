"""Clusters: kept, answered as running at once, never started; tasks run in processes of this machine whatever their cluster says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, ok, page, query, required
from rehearsal.workspace.services import Services, caller

Handler = Callable[[Request], Awaitable[Response]]

CLUSTERS = "clusters"
NOT_KEPT = ("apply_policy_default_values", "is_pinned", "clone_from")
NODE_TYPES = {"i3.xlarge": (31232, 4), "m5d.large": (8192, 2), "m5d.xlarge": (16384, 4), "r5d.xlarge": (32768, 4)}
RUNTIMES = {"17.3.x-scala2.13": "17.3 LTS", "16.4.x-scala2.12": "16.4 LTS", "15.4.x-scala2.12": "15.4 LTS"}


def routes(services: Services) -> list[Route]:
    """Routes of clusters in API 2.1 and 2.0, and of what clusters can be made of."""
    handlers = {**_changes(services), **_reads(services)}
    return [
        Route(f"/api/{version}/clusters/{name}", handler, methods=[method])
        for version in ("2.1", "2.0")
        for (method, name), handler in handlers.items()
    ]


def _changes(services: Services) -> dict[tuple[str, str], Handler]:
    documents = services.documents

    async def create(request: Request) -> Response:
        values = await body(request)
        required(values, "spark_version")
        cluster_id = services.ids.cluster()
        documents.put(CLUSTERS, cluster_id, _defaults(values) | {"cluster_id": cluster_id, "state": "RUNNING"})
        services.access.created(CLUSTERS, cluster_id, caller(request))
        return ok({"cluster_id": cluster_id})

    async def edit(request: Request) -> Response:
        values = await body(request)
        current = _cluster(services, required(values, "cluster_id"))
        documents.put(CLUSTERS, current["cluster_id"], _defaults(values) | {"state": current["state"]})
        return ok()

    async def update(request: Request) -> Response:
        values = await body(request)
        current = _cluster(services, required(values, "cluster_id"))
        masked = str(required(values, "update_mask")).split(",")
        given = values.get("cluster") or {}
        if unknown := [path for path in masked if "." in path or path == "*"]:
            raise ApiError("FEATURE_DISABLED", f"The local workspace updates whole fields of a cluster only, not `{unknown[0]}`.")
        changed = {name: given[name] for name in masked if name in given}
        kept = {name: value for name, value in current.items() if name not in masked}
        documents.put(CLUSTERS, current["cluster_id"], kept | changed)
        return ok()

    async def resize(request: Request) -> Response:
        values = await body(request)
        current = _cluster(services, required(values, "cluster_id"))
        size = {name: values[name] for name in ("num_workers", "autoscale") if name in values}
        if len(size) != 1:
            raise invalid("Exactly one of num_workers and autoscale must be given")
        rest = {name: value for name, value in current.items() if name not in {"num_workers", "autoscale"}}
        documents.put(CLUSTERS, current["cluster_id"], rest | size)
        return ok()

    async def permanent_delete(request: Request) -> Response:
        current = _cluster(services, required(await body(request), "cluster_id"))
        documents.delete(CLUSTERS, current["cluster_id"])
        services.access.deleted(CLUSTERS, current["cluster_id"])
        return ok()

    def to(state: str) -> Handler:
        async def change(request: Request) -> Response:
            current = _cluster(services, required(await body(request), "cluster_id"))
            documents.put(CLUSTERS, current["cluster_id"], current | {"state": state})
            return ok()

        return change

    return {
        ("POST", "create"): create,
        ("POST", "edit"): edit,
        ("POST", "update"): update,
        ("POST", "resize"): resize,
        ("POST", "permanent-delete"): permanent_delete,
        ("POST", "start"): to("RUNNING"),
        ("POST", "restart"): to("RUNNING"),
        ("POST", "delete"): to("TERMINATED"),
    }


def _reads(services: Services) -> dict[tuple[str, str], Handler]:
    async def get(request: Request) -> Response:
        return ok(_cluster(services, query(request, "cluster_id")))

    async def listed(request: Request) -> Response:
        items, token = page(request, services.documents.all(CLUSTERS), default=20, largest=100, size_name="page_size")
        return ok({"clusters": items} | ({"next_page_token": token} if token else {}))

    async def node_types(_: Request) -> Response:
        kinds = [
            {"node_type_id": name, "memory_mb": memory, "num_cores": float(cores), "description": name, "instance_type_id": name,
             "category": "Storage Optimized", "is_deprecated": False, "node_instance_type": {"local_disks": 1, "instance_type_id": name}}
            for name, (memory, cores) in NODE_TYPES.items()
        ]  # fmt: skip
        return ok({"node_types": kinds})

    async def versions(_: Request) -> Response:
        return ok({"versions": [{"key": key, "name": f"{name} (local)"} for key, name in RUNTIMES.items()]})

    async def zones(_: Request) -> Response:
        return ok({"zones": ["us-east-1c"], "default_zone": "us-east-1c"})

    return {
        ("GET", "get"): get,
        ("GET", "list"): listed,
        ("GET", "list-node-types"): node_types,
        ("GET", "spark-versions"): versions,
        ("GET", "list-zones"): zones,
    }


def _cluster(services: Services, cluster_id: object) -> Json:
    found = services.documents.get(CLUSTERS, str(cluster_id))
    if found is None:
        raise does_not_exist("Not Found")  # the words of the recorded reference workspace, which the CLI prints
    return found


def _defaults(values: Json) -> Json:
    """A cluster's settings with what Databricks adds of its own accord."""
    settings = {name: value for name, value in values.items() if name not in NOT_KEPT}
    added: Json = {"enable_elastic_disk": False, "aws_attributes": {"availability": "SPOT_WITH_FALLBACK", "zone_id": "us-east-1c"}}
    if "node_type_id" in settings:
        added["driver_node_type_id"] = settings["node_type_id"]
    return added | settings
