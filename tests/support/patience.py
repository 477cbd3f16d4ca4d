"""How long tests wait for what should come."""

from __future__ import annotations

import os

#: In seconds. With a planted bug it will not come.
PATIENCE = float(os.environ.get("DULY_TEST_PATIENCE", "15"))
