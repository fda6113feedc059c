"""The file of accepted warnings: read by its schema, wrong files named with their line, entries that fit nothing said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bundleflow.records.accepted import Accepted, Remark, load_accepted, load_schema
from bundleflow.records.errors import BundleflowError, FailureReason

FILE = """\
version: 1
warnings:
  - text: "job_cluster_key big is not defined"
    target: dev
    reason: the cluster comes with the next release
    expires: 2026-06-30
  - pattern: "Pattern .* does not match any files at sync\\\\.exclude\\\\[\\\\d+\\\\]"
    target: "*"
    reason: generated files
"""
DAY = date(2026, 6, 30)


def accepted_of(text: str, folder: Path) -> Accepted:
    file = folder / "accepted.yml"
    file.write_text(text)
    return load_accepted(file)


def test_a_flow_without_the_file_accepts_nothing() -> None:
    assert load_accepted(None).entries == ()


def test_entries_cover_what_they_name_until_their_last_day(tmp_path: Path) -> None:
    accepted = accepted_of(FILE, tmp_path)
    undefined = Remark("dev", "job_cluster_key big is not defined", "resources.jobs.j.tasks[1].job_cluster_key")
    assert accepted.covers(undefined, DAY)
    assert not accepted.covers(undefined, date(2026, 7, 1))
    assert not accepted.covers(Remark("prod", undefined.message), DAY)
    assert accepted.covers(Remark("prod", "Pattern *.x does not match any files", "sync.exclude[0]"), DAY)
    assert not accepted.covers(Remark("prod", "Pattern *.x does not match any files", "sync.include[0]"), DAY)


def test_entries_that_fit_nothing_or_have_expired_are_said(tmp_path: Path) -> None:
    accepted = accepted_of(FILE, tmp_path)
    remark = Remark("dev", "job_cluster_key big is not defined")
    (unused,) = accepted.remarks_on_itself([remark], DAY)
    assert "accepted.yml:7: " in unused
    assert "fits no warning any more" in unused
    (expired, _) = accepted.remarks_on_itself([remark], date(2026, 7, 1))
    assert "accepted.yml:3: " in expired
    assert "expired on 2026-06-30" in expired


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("reason: generated files", "reason: ' '", "accepted.yml:9:"),
        ("    reason: generated files\n", "", "reason"),
        ("target: dev", "target: dev\n    pattern: x", "accepted.yml:3:"),
        ("2026-06-30", "2026-06-31", "`2026-06-31` is no day of the calendar"),
        ("Pattern .*", "Pattern (", "`pattern` is no regular expression"),
        ("version: 1", "version: 2", "version"),
        ("    reason: the", "    resaon: the", "resaon"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in FILE
    with pytest.raises(BundleflowError) as caught:
        accepted_of(FILE.replace(old, new), tmp_path)
    assert caught.value.reason is FailureReason.FLOW_INVALID
    assert said in caught.value.cause
    assert "accepted.yml:" in caught.value.cause


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleflowError, match=r"nowhere\.yml cannot be read") as caught:
        load_accepted(tmp_path / "nowhere.yml")
    assert "`warnings:`" in caught.value.fix


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(load_schema())
