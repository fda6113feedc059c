"""The shape of a bundle's configuration outside its resources, in the notation of `schema_build`."""

from __future__ import annotations

from typing import Any

SUPPORTED_RESOURCES = (
    "catalogs",
    "clusters",
    "experiments",
    "jobs",
    "model_serving_endpoints",
    "pipelines",
    "registered_models",
    "schemas",
    "secret_scopes",
    "sql_warehouses",
    "volumes",
)
"""The kinds of resources the stand-in can plan and deploy."""

REFUSED_RESOURCES = (
    "alerts",
    "apps",
    "dashboards",
    "database_catalogs",
    "database_instances",
    "external_locations",
    "genie_spaces",
    "instance_pools",
    "job_runs",
    "models",
    "postgres_branches",
    "postgres_endpoints",
    "postgres_projects",
    "quality_monitors",
    "secrets",
    "synced_database_tables",
    "vector_search_endpoints",
    "vector_search_indexes",
)
"""Kinds that the real CLI knows and the stand-in refuses by name."""

_PERMISSIONS = {"permissions": "[]#Permission"}
_GRANTS = {"grants": "[]#Grant"}
_COMMON = {"lifecycle": "#Lifecycle"}

RESOURCE_EXTRAS: dict[str, dict[str, str]] = {
    "jobs": _PERMISSIONS,
    "pipelines": _PERMISSIONS,
    "experiments": _PERMISSIONS,
    "model_serving_endpoints": _PERMISSIONS,
    "clusters": _PERMISSIONS,
    "sql_warehouses": _PERMISSIONS,
    "registered_models": _GRANTS,
    "schemas": _GRANTS,
    "volumes": _GRANTS | {"volume_path": "string"},
    "catalogs": _GRANTS,
}
"""Fields that a bundle allows in a resource beside those of the workspace's API."""

ENUMS: dict[str, list[str]] = {"ArtifactType": ["jar", "whl"], "VariableType": ["complex"]}
"""Enumerations of the configuration outside its resources."""

OBJECTS: dict[str, dict[str, Any]] = {
    "Permission": {
        "fields": {"level": "string", "user_name": "string", "group_name": "string", "service_principal_name": "string"},
        "required": ["level"],
    },
    "Grant": {"fields": {"principal": "string", "privileges": "[]string"}, "required": ["principal", "privileges"]},
    "Lifecycle": {"fields": {"prevent_destroy": "bool", "started": "bool"}},
    "RunAs": {"fields": {"user_name": "string", "service_principal_name": "string", "group_name": "string"}},
    "Lock": {"fields": {"enabled": "bool", "force": "bool"}},
    "Deployment": {"fields": {"fail_on_active_runs": "bool", "lock": "#Lock"}},
    "Git": {
        "fields": {
            "actual_branch": "string",
            "branch": "string",
            "bundle_root_path": "string",
            "commit": "string",
            "origin_url": "string",
        }
    },
    "Bundle": {
        "fields": {
            "name": "string",
            "target": "string",
            "environment": "string",
            "mode": "string",
            "engine": "string",
            "uuid": "string",
            "cluster_id": "string",
            "compute_id": "string",
            "databricks_cli_version": "string",
            "deployment": "#Deployment",
            "git": "#Git",
        },
        "required": ["name"],
    },
    "Workspace": {
        "fields": {
            **dict.fromkeys(("host", "profile", "auth_type", "client_id", "account_id", "workspace_id", "metadata_service_url"), "string"),
            **dict.fromkeys(("azure_client_id", "azure_environment", "azure_login_app_id", "azure_tenant_id"), "string"),
            **dict.fromkeys(("azure_workspace_resource_id", "google_service_account"), "string"),
            **dict.fromkeys(("root_path", "file_path", "resource_path", "artifact_path", "state_path"), "string"),
            "azure_use_msi": "bool",
            "experimental_is_unified_host": "bool",
            "current_user": "any",
        }
    },
    "ArtifactFile": {"fields": {"source": "string"}, "required": ["source"]},
    "Artifact": {
        "fields": {
            "type": "!ArtifactType",
            "path": "string",
            "build": "string",
            "executable": "string",
            "dynamic_version": "bool",
            "files": "[]#ArtifactFile",
        }
    },
    "Lookup": {
        "fields": dict.fromkeys(
            (
                "alert",
                "cluster",
                "cluster_policy",
                "dashboard",
                "instance_pool",
                "job",
                "metastore",
                "notification_destination",
                "pipeline",
                "query",
                "service_principal",
                "warehouse",
            ),
            "string",
        )
    },
    "Variable": {"fields": {"default": "any", "description": "string", "type": "!VariableType", "lookup": "#Lookup", "value": "any"}},
    "Sync": {"fields": {"include": "[]string", "exclude": "[]string", "paths": "[]string"}},
    "Presets": {
        "fields": {
            "name_prefix": "string",
            "tags": "{}string",
            "trigger_pause_status": "string",
            "jobs_max_concurrent_runs": "int",
            "pipelines_development": "bool",
            "source_linked_deployment": "bool",
            "artifacts_dynamic_version": "bool",
        }
    },
    "Experimental": {
        "fields": {
            "scripts": "{}string",
            "python": "any",
            "pydabs": "any",
            "python_wheel_wrapper": "bool",
            "use_legacy_run_as": "bool",
            "skip_artifact_cleanup": "bool",
            "skip_name_prefix_for_schema": "bool",
            "record_deployment_history": "bool",
        }
    },
    "Script": {"fields": {"content": "string"}, "required": ["content"]},
    "Python": {"fields": {"mutators": "[]string", "resources": "[]string", "venv_path": "string"}},
    "resource.secret_scopes": {
        "fields": {"name": "string", "backend_type": "string", "keyvault_metadata": "#Keyvault", "permissions": "[]#Permission"},
        "required": ["name"],
    },
    "SecretScopeState": {
        "fields": {
            "scope": "string",
            "scope_backend_type": "string",
            "backend_azure_keyvault": "#Keyvault",
            "initial_manage_principal": "string",
        }
    },
    "PermissionsState": {"fields": {"object_id": "string", "__embed__": "[]#Permission"}},
    "SecretAcl": {"fields": {"principal": "string", "permission": "string"}},
    "SecretPermissionsState": {"fields": {"scope_name": "string", "acls": "[]#SecretAcl"}},
    "GrantsState": {"fields": {"securable_type": "string", "full_name": "string", "__embed__": "[]#Grant"}},
    "Keyvault": {"fields": {"dns_name": "string", "resource_id": "string"}, "required": ["dns_name", "resource_id"]},
    "Resources": {"fields": {name: "{}#resource." + name for name in SUPPORTED_RESOURCES} | dict.fromkeys(REFUSED_RESOURCES, "any")},
    "Target": {
        "fields": {
            "default": "bool",
            "mode": "string",
            "cluster_id": "string",
            "compute_id": "string",
            "bundle": "#Bundle",
            "workspace": "#Workspace",
            "artifacts": "{}#Artifact",
            "resources": "#Resources",
            "variables": "{}#Variable",
            "git": "#Git",
            "run_as": "#RunAs",
            "sync": "#Sync",
            "permissions": "[]#Permission",
            "presets": "#Presets",
        }
    },
    "Root": {
        "fields": {
            "bundle": "#Bundle",
            "include": "[]string",
            "workspace": "#Workspace",
            "artifacts": "{}#Artifact",
            "resources": "#Resources",
            "targets": "{}#Target",
            "environments": "{}#Target",
            "variables": "{}#Variable",
            "run_as": "#RunAs",
            "sync": "#Sync",
            "permissions": "[]#Permission",
            "presets": "#Presets",
            "experimental": "#Experimental",
            "scripts": "{}#Script",
            "python": "#Python",
        }
    },
}
"""The objects of the configuration by name: their fields, and which of them must be set."""
