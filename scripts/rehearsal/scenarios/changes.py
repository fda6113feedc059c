"""The changes that the stories' developers make: real ones for the Iris project, harmless ones for any other."""

from __future__ import annotations

from rehearsal.scenarios.model import Change, Edit

NEW_FEATURE = Change(
    message="Add the area of the sepal as a feature",
    edits=(
        Edit(
            "src/iris/features.py",
            '    "petal_area": "Length times width of the petal in cm²",\n',
            '    "petal_area": "Length times width of the petal in cm²",\n    "sepal_area": "Length times width of the sepal in cm²",\n',
        ),
        Edit(
            "src/iris/features.py",
            '    frame["petal_ratio"] =',
            '    frame["sepal_area"] = frame["sepal_length"] * frame["sepal_width"]\n    frame["petal_ratio"] =',
        ),
        Edit(
            "tests/unit/test_features.py",
            "",
            "\n\ndef test_area_of_the_sepal():\n"
            "    row = features.prepare(data.load().head(1)).iloc[0]\n"
            '    assert row["sepal_area"] == pytest.approx(row["sepal_length"] * row["sepal_width"])\n',
        ),
    ),
    otherwise=(Edit("REHEARSAL.md", "", "First change of a rehearsal.\n"),),
)

LARGER_FOREST = Change(
    message="Train a larger forest, with a shorter time limit, and look at its predictions after each release",
    edits=(
        Edit(
            "bundleflow.yml",
            "    requires: staging\n",
            "    requires: staging\n    smoke: [{job: batch_inference, expect: {contains: model_version}}]\n",
        ),
        Edit("resources/model_training.job.yml", 'default: "40"', 'default: "60"'),
        Edit("resources/model_training.job.yml", "timeout_seconds: 3600", "timeout_seconds: 2700"),
    ),
    otherwise=(Edit("REHEARSAL.md", "", "Second change of a rehearsal.\n"),),
)

BROKEN_FEATURE = Change(
    message="Simplify the area of the petal",
    edits=(Edit("src/iris/features.py", 'frame["petal_length"] * frame["petal_width"]', 'frame["petal_length"] + frame["petal_width"]'),),
    otherwise=(Edit("tests/unit/test_rehearsal.py", "", "def test_that_fails():\n    raise AssertionError('it must stop the change')\n"),),
)

PLAIN = Change(
    message="Say a word in the rehearsal's notes", edits=(Edit("REHEARSAL.md", "", "A change that deploys nothing new.\n"),), otherwise=()
)


def time_limit(minutes: int) -> Change:
    """Make a change of a job's time limit, small and visible in every plan.

    Args:
        minutes: The new limit; a story that makes two such changes gives different ones.
    """
    return Change(
        message=f"Let the training run for {minutes} minutes",
        edits=(Edit("resources/model_training.job.yml", "timeout_seconds: 3600", f"timeout_seconds: {minutes * 60}"),),
        otherwise=(Edit("REHEARSAL.md", "", f"A limit of {minutes} minutes.\n"),),
    )


LONGER_LIMIT = Change(
    message="Let the inference run for two hours",
    edits=(Edit("resources/batch_inference.job.yml", "timeout_seconds: 3600", "timeout_seconds: 7200"),),
    otherwise=(Edit("REHEARSAL.md", "", "A longer limit.\n"),),
)

_MODEL = """  registered_models:
    classifier:
      catalog_name: ${var.catalog}
      schema_name: ${resources.schemas.main.name}
      name: classifier
      comment: Tells the species of an iris by its measurements. Alias champion is the version in use.
"""

NO_MODEL = Change(message="The model is registered by hand from now on", edits=(Edit("resources/catalog.yml", _MODEL, ""),), otherwise=())

HOME_FOLDER = Change(
    message="Deploy to the deployer's own folder",
    edits=(
        Edit(
            "databricks.yml",
            "root_path: /Workspace${var.folder}/prod",
            "root_path: /Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/prod",
        ),
    ),
    otherwise=(),
)

_SMOKE = "    smoke: [{endpoint: no-such-endpoint, request: {dataframe_records: [{petal_length: 1.4}]}}]\n"

FAILING_SMOKE = Change(
    message="Ask an endpoint after each release",
    edits=(
        Edit("bundleflow.yml", "    requires: staging\n", f"    requires: staging\n{_SMOKE}"),
        Edit("resources/model_training.job.yml", "timeout_seconds: 3600", "timeout_seconds: 2640"),
    ),
    otherwise=(),
)

NO_SMOKE = Change(
    message="Do not ask an endpoint that is not there yet",
    edits=(Edit("bundleflow.yml", _SMOKE, ""),),
    otherwise=(Edit("REHEARSAL.md", "", "No smoke check.\n"),),
)
