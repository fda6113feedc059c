"""What the security tests share: the helpers of the kit's and the stand-ins' own tests."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for folder in ("contract", "unit/bundleflow", "unit/bundleflow/commands", "unit/report"):
    if str(TESTS / folder) not in sys.path:
        sys.path.insert(0, str(TESTS / folder))
