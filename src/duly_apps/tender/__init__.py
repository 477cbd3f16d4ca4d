"""The tender desk: a tender document in, seven tabs of findings out, each with its page and its quote.

`tasks` holds the handler, `analyser` what an engine must offer, `offline` the engine that needs no model,
`routes` the HTTP, `samples` documents to try it on.
"""

from duly import Duly

duly = Duly("tender")
duly.routes("duly_apps.tender.routes:router")

from . import split as split  # noqa: E402 - registers its handler on `duly`
from . import tasks as tasks  # noqa: E402 - as well

__all__ = ["duly"]
