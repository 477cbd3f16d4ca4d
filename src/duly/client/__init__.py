"""A thin client of a Duly server: `AsyncDuly`, and `Duly` for programs without a loop. Needs httpx2 only.

duly = Duly("http://127.0.0.1:8000", token)
task = duly.submit("company.report", {"company": "ACME"})
for event in duly.stream(task["id"]): print(event.type, event.data)
print(duly.wait(task["id"])["result"])
"""

from duly.client.blocking import Duly
from duly.client.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from duly.client.remote import AsyncDuly, Event

__all__ = [
    "AsyncDuly",
    "Conflict",
    "Duly",
    "Event",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Problem",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
]
