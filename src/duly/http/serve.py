"""`python -m duly.http.serve`: the supervised process that serves the API (and works, unless told not to)."""

from __future__ import annotations

from duly.http.api import create_api
from duly.runtime.child import main

if __name__ == "__main__":
    main(create_api)
