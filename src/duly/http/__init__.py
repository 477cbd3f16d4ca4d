"""The HTTP API, thin: parse, call, render. A request passes through these modules in this order:

edge       size, host and origin; crashes become problems        problems   every error, RFC 9457
identity   who calls: the installation's token, or a user's JWT  titles     in English and Chinese
gate       JSON that every database keeps unchanged              health     /livez, /readyz, /health
tasks · timeline · inbox · the routes of apps                    api        joins them
caller     what routes call: submit, answer or acknowledge, upload
"""

from __future__ import annotations

from duly.http.api import create_api
from duly.http.caller import Caller, CallerDep
from duly.http.gate import JsonBody

__all__ = ["Caller", "CallerDep", "JsonBody", "create_api"]
