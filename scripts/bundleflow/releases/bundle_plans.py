"""Plans of several bundles in one release pull request: each job writes its own section and keeps the others' of the same commit."""

from __future__ import annotations

import re

from bundleflow.releases.preview import bundle_id
from bundleflow.report.markdown import code

LIMIT = 45_000
"""Characters for all sections; GitHub takes 65,536 for the whole text."""

_SECTION = re.compile(
    r"<!-- bundleflow:plan (?P<id>[0-9a-f]{8}) (?P<sha>[0-9a-f]{40}) -->\n(?P<text>.*?)\n<!-- /bundleflow:plan -->", re.DOTALL
)


def with_others(present: str, bundle: str, sha: str, text: str) -> str:
    """A bundle's section and those of the other bundles that were deployed from the same commit.

    Args:
        present: The pull request's text as it is; empty for a new one.
        bundle: Folder of the bundle.
        sha: Commit that was deployed; sections of another commit are outdated and go.
        text: The bundle's section, as Markdown.
    """
    own = f"<!-- bundleflow:plan {bundle_id(bundle)} {sha} -->\n#### Bundle {code(bundle)}\n\n{text}\n<!-- /bundleflow:plan -->"
    others = [match[0] for match in _SECTION.finditer(present) if match["sha"] == sha and match["id"] != bundle_id(bundle)]
    room, kept = LIMIT - len(own), [own]
    for each in others:
        if len(each) < room:
            room -= len(each)
            kept.append(each)
    # A comment's id says nothing to people: the order is that of the headings.
    shown = sorted(kept, key=lambda each: each.partition("\n")[2])
    if len(kept) <= len(others):
        shown.append(f"_The plans of {len(others) + 1 - len(kept)} more bundles do not fit; each stands in the summary of its own job._")
    return "\n\n".join(shown)
