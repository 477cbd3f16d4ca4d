"""Hypothesis profiles: `ci` repeats the same cases in every run, `explore` looks for new ones.

`HYPOTHESIS_PROFILE=explore make test` explores. No case has a deadline: a busy machine is not a bug.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
