"""HTTP of the tender desk: submit, the old addresses, exports. All else is the common task API."""

from fastapi import APIRouter

from . import exports, legacy, sources, submit

router = APIRouter()
for part in (submit, legacy, exports, sources):
    router.include_router(part.router)

__all__ = ["router"]
