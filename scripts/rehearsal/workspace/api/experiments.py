"""MLflow experiments, as the workspace's own objects; their runs are MLflow's."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, ok, query, required
from rehearsal.workspace.securables import without
from rehearsal.workspace.services import Services, caller
from rehearsal.workspace.tracking import Experiments

API = "/api/2.0/mlflow/experiments"
ACL_KIND = "experiments"


def routes(services: Services, known: Experiments) -> list[Route]:
    """Routes of experiments; searching them is MLflow's. Given `known` by the module that passes the rest on."""

    async def create(request: Request) -> Response:
        values = await body(request)
        tags = [{"key": str(required(tag, "key")), "value": str(tag.get("value", ""))} for tag in values.get("tags") or []]
        created = known.create(str(required(values, "name")), str(values.get("artifact_location") or ""), tags)
        services.access.created(ACL_KIND, created["experiment_id"], caller(request))
        return ok({"experiment_id": created["experiment_id"]})

    async def get(request: Request) -> Response:
        return ok({"experiment": _shown(known.get(query(request, "experiment_id")))})

    async def get_by_name(request: Request) -> Response:
        name = query(request, "experiment_name")
        found = known.find(name)
        if found is None:
            raise does_not_exist(f"Experiment with name '{name}' does not exist.")
        return ok({"experiment": _shown(found)})

    async def update(request: Request) -> Response:
        values = await body(request)
        current = _active(known, values)
        name = values.get("new_name")
        if name and name != current["name"]:
            if (other := known.find(str(name))) and other["lifecycle_stage"] == "active":
                raise ApiError("RESOURCE_ALREADY_EXISTS", f"Experiment with name '{name}' already exists.")
            services.files.record_experiment(str(name), int(current["experiment_id"]))
            known.save(current | {"name": str(name), "last_update_time": services.clock()})
        return ok()

    async def delete(request: Request) -> Response:
        current = _active(known, await body(request))
        services.files.forget(current["name"])
        known.save(current | {"lifecycle_stage": "deleted", "last_update_time": services.clock()})
        return ok()

    async def restore(request: Request) -> Response:
        current = known.get(str(required(await body(request), "experiment_id")))
        if current["lifecycle_stage"] == "active":
            raise does_not_exist(f"Cannot restore experiment with ID {current['experiment_id']}: it is not deleted.")
        services.files.record_experiment(current["name"], int(current["experiment_id"]))
        known.save(current | {"lifecycle_stage": "active", "last_update_time": services.clock()})
        return ok()

    async def set_tag(request: Request) -> Response:
        values = await body(request)
        current, key = _active(known, values), str(required(values, "key"))
        tags = [tag for tag in current["tags"] if tag["key"] != key]
        known.save(current | {"tags": [*tags, {"key": key, "value": str(values.get("value", ""))}]})
        return ok()

    async def delete_tag(request: Request) -> Response:
        values = await body(request)
        current, key = _active(known, values), str(required(values, "key"))
        tags = [tag for tag in current["tags"] if tag["key"] != key]
        if len(tags) == len(current["tags"]):
            raise does_not_exist(f"No tag with name: {key}")
        known.save(current | {"tags": tags})
        return ok()

    posts = {
        "create": create, "update": update, "delete": delete, "restore": restore,
        "set-experiment-tag": set_tag, "delete-experiment-tag": delete_tag,
    }  # fmt: skip
    return [
        *(Route(f"{API}/{name}", handler, methods=["POST"]) for name, handler in posts.items()),
        Route(f"{API}/get", get, methods=["GET"]),
        Route(f"{API}/get-by-name", get_by_name, methods=["GET"]),
    ]


def _active(known: Experiments, values: Json) -> Json:
    """The experiment that a request names, which must not be deleted."""
    experiment = known.get(str(required(values, "experiment_id")))
    if experiment["lifecycle_stage"] != "active":
        raise invalid(f"The experiment {experiment['experiment_id']} must be in the 'active' state.")
    return experiment


def _shown(experiment: Json) -> Json:
    """An experiment as `get` answers it; without times, as recorded, and without an empty list of tags."""
    return without(experiment, "creation_time", "last_update_time", *(() if experiment["tags"] else ("tags",)))
