"""The acceptance line about moving, in full: 200,000 tasks move while others submit, and none is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "move.py"


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.timeout(1500)
def test_200_000_tasks_move_while_others_submit() -> None:
    """To PostgreSQL; each that was acknowledged is there, and every table is alike."""
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["lost"], said["tables_unlike"]) == (0, [])
    assert said["accepted_during_copy"] > 0
    assert said["peak_rss_mb"] < 300
