"""Which bundles a change touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundleflow.records.errors import BundleflowError
from bundleflow.releases.bundle_reach import bundles_in, find_bundles, outside_paths, touched_bundles

BUNDLES = ["bundles/a", "bundles/a/inner", "bundles/b"]


@pytest.mark.parametrize(
    ("files", "touched"),
    [
        ([], []),
        (["bundles/a/x.py"], ["bundles/a"]),
        (["bundles/a/x.py", "bundles/b/y.py"], ["bundles/a", "bundles/b"]),
        (["bundles/a/inner/x.py"], ["bundles/a/inner"]),
        (["bundles/ab/x.py"], BUNDLES),
        (["shared/lib.py"], BUNDLES),
        ([".github/workflows/x.yml"], BUNDLES),
        (["bundleflow.yml"], BUNDLES),
        (["docs/bundleflow.yml"], BUNDLES),
    ],
)
def test_a_change_is_mapped_to_its_bundle(files: list[str], touched: list[str]) -> None:
    assert touched_bundles(BUNDLES, files) == touched


@pytest.mark.parametrize(
    ("files", "touched"),
    [
        (["libs/features/x.py"], ["bundles/a"]),
        (["libs/other.py"], ["bundles/b"]),
        (["libs/sub/other.py"], ["bundles/b"]),
        (["docs/index.md", "README.md"], []),
        (["docs/index.md", "elsewhere.txt"], BUNDLES),
        (["bundles/b/docs/index.md"], ["bundles/b"]),
    ],
)
def test_shared_folders_concern_the_bundles_that_the_flow_file_names(files: list[str], touched: list[str]) -> None:
    shared = {"libs": ["bundles/b"], "libs/features/": ["bundles/[a]"], "docs": [], "README.md": []}
    assert touched_bundles(BUNDLES, files, shared=shared) == touched


def test_what_a_bundle_takes_from_outside_its_folder_concerns_it() -> None:
    reach = {"bundles/a": {"libs/common"}, "bundles/b": {"bundles/a/src", "libs"}}
    assert touched_bundles(BUNDLES, ["libs/common/x.py"], reach) == ["bundles/a", "bundles/b"]
    assert touched_bundles(BUNDLES, ["bundles/a/src/x.py"], reach) == ["bundles/a", "bundles/b"]
    assert touched_bundles(BUNDLES, ["bundles/a/y.py"], reach) == ["bundles/a"]


def test_a_deleted_bundles_files_concern_no_other() -> None:
    assert touched_bundles(BUNDLES, ["bundles/gone/databricks.yml"], gone=["bundles/gone"]) == []
    assert touched_bundles([".", "b"], ["gone/x.py"], gone=["gone"]) == []
    renamed = ["bundles/old/databricks.yml", "bundles/b/databricks.yml"]
    assert touched_bundles(BUNDLES, renamed, gone=["bundles/old"]) == ["bundles/b"]


def test_the_bundle_at_the_root_has_what_belongs_to_no_other() -> None:
    assert touched_bundles([".", "bundles/b"], ["src/x.py"]) == ["."]
    assert touched_bundles([".", "bundles/b"], ["docs/x.md"], shared={"docs": []}) == []


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("sync:\n  paths: [., ../../libs/common]\n", {"libs/common"}),
        ("targets:\n  dev:\n    sync:\n      paths:\n        - ../../libs\n", {"libs"}),
        ("artifacts:\n  wheel:\n    type: whl\n    path: ../../libs/features\n", {"libs/features"}),
        ("include: ['../common/*.yml']\n", {"bundles/common"}),
        ("sync: {include: ['../b/util_*.py', '../c[0-9]/x']}\n", {"bundles/b", "bundles"}),
        ("sync:\n  paths: [../../../elsewhere]\n", set()),
        ("sync:\n  paths: [src/../lib]\n", set()),
        ("resources:\n  jobs: {a: {tasks: [{notebook_task: {notebook_path: ../src/x.py}}]}}\n", set()),
        ("sync:\n  paths: 7 # ..\n", set()),
        ("sync: [..\n", {"."}),
    ],
)
def test_outside_paths_are_read_from_the_bundles_files(tmp_path: Path, text: str, outside: set[str]) -> None:
    bundle = tmp_path / "bundles" / "a"
    bundle.mkdir(parents=True)
    (bundle / "databricks.yml").write_text(text)
    assert outside_paths(tmp_path, "bundles/a") == outside


def test_a_wildcard_inside_a_name_reaches_into_a_neighbours_folder(tmp_path: Path) -> None:
    bundles = ["bundles/a", "bundles/b"]
    for bundle, text in zip(bundles, ["sync: {include: ['../b/util_*.py']}\n", ""], strict=True):
        (tmp_path / bundle).mkdir(parents=True)
        (tmp_path / bundle / "databricks.yml").write_text(text)
    reach = {bundle: outside_paths(tmp_path, bundle) for bundle in bundles}
    assert touched_bundles(bundles, ["bundles/b/util_x.py"], reach) == bundles
    assert touched_bundles(bundles, ["bundles/a/util_x.py"], reach) == ["bundles/a"]


def test_paths_of_an_included_file_are_relative_to_it(tmp_path: Path) -> None:
    resources = tmp_path / "bundles" / "a" / "resources"
    resources.mkdir(parents=True)
    (resources.parent / "databricks.yml").write_text("include: [resources/*.yml]\n")
    (resources / "sync.yml").write_text("sync:\n  paths: [../../../libs]\n")
    assert outside_paths(tmp_path, "bundles/a") == {"libs"}


def test_bundles_are_found_by_the_flow_files_patterns(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "bundles" / name).mkdir(parents=True)
    for name in ("a/databricks.yml", "b/bundle.yaml"):
        (tmp_path / "bundles" / name).touch()
    (tmp_path / "databricks.yml").touch()
    assert find_bundles(tmp_path, ["bundles/*"]) == ["bundles/a", "bundles/b"]
    assert find_bundles(tmp_path, ["./"]) == find_bundles(tmp_path, ["."]) == ["."]
    with pytest.raises(BundleflowError, match="`other/\\*`"):
        find_bundles(tmp_path, ["bundles/*", "other/*"])


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["."], {"."}),
        (["bundles/*"], {"bundles/a", "bundles/b"}),
        (["bundles/**"], {"bundles/a", "bundles/b", "bundles/b/inner"}),
        (["bundles/b/inner/"], {"bundles/b/inner"}),
        (["**"], {".", "bundles/a", "bundles/b", "bundles/b/inner"}),
    ],
)
def test_bundles_of_a_commit_that_is_not_checked_out(patterns: list[str], found: set[str]) -> None:
    names = ["databricks.yml", "bundles/a/databricks.yml", "bundles/b/databricks.yaml", "bundles/b/inner/bundle.yml", "bundles/x/README.md"]
    assert bundles_in(names, patterns) == found
