"""The tender desk: a tender document in, seven tabs of findings out, each with its page and its quote.

`tasks` holds the handler, `analyser` what an engine must offer, `offline` the engine that needs no model,
`split` and `workload` the same for requirements that become work, `export` the files that results are written
to, `routes` the HTTP, `pages` what people see, `samples` documents to try it on.
"""

from pathlib import Path

from duly import Duly

duly = Duly("tender")
duly.routes("duly_apps.tender.routes:router")
duly.pages("tender", Path(__file__).with_name("pages"), title="Tender desk", title_zh="标书台")

from . import split as split  # noqa: E402 - registers its handler on `duly`
from . import tasks as tasks  # noqa: E402 - as well

__all__ = ["duly"]
