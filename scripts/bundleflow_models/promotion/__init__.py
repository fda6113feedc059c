"""Promotes a model: approval, aliases under a lock, endpoint; the same code in the workspace's deployment job and on a runner.

In a deployment job's notebooks, where `task` is the name of the approval task:

    workspace = promotion.open_workspace()
    approval = promotion.check_approval(workspace.registry, model, version, task)     # raises until a person approved
    gate = verdict.load_gate("gates/iris.yml")                                        # a verdict by any other promotes nothing
    request = promotion.PromotionRequest(model, version, approval, endpoint, by="deployment job", gate=gate)
    done = promotion.promote(workspace, request)
"""

from bundleflow_models.promotion.approvals import approval_of, check_approval, forget_approval, write_approval
from bundleflow_models.promotion.engine import RollbackRequest, approved_verdict, promote, rollback
from bundleflow_models.promotion.records import Approval, Pace, Promotion, PromotionRequest
from bundleflow_models.promotion.work import Workspace
from bundleflow_models.promotion.workspace import open_workspace

__all__ = [
    "Approval",
    "Pace",
    "Promotion",
    "PromotionRequest",
    "RollbackRequest",
    "Workspace",
    "approval_of",
    "approved_verdict",
    "check_approval",
    "forget_approval",
    "open_workspace",
    "promote",
    "rollback",
    "write_approval",
]
