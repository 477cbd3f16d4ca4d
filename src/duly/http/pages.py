"""The pages at /, /docs and /apps/<name>/, and the static files that they are made of."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.dashboard import STATIC
from duly.http import manual
from duly.http.identity import PrincipalDep
from duly.http.parts import PartsDep
from duly.http.titles import Language, language
from duly.runtime.declare import Pages

#: Nothing but our own files; no text becomes markup or a script (Trusted Types).
POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{what}-src 'self'" for what in ("script", "style", "connect", "font")),
        "img-src 'self' data:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}
FILE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: What a page may be made of; some systems know no type for it, or another one.
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}


class Site:
    """All static files of an installation, held in memory: what is not among them is not served."""

    def __init__(self, apps: Mapping[str, Pages]) -> None:
        self.apps = dict(sorted(apps.items()))
        self._page = (STATIC / "index.html").read_text("utf-8")
        self._files = _files(STATIC)
        for name, one in self.apps.items():
            self._files |= {f"apps/{name}/{path}": data for path, data in _files(one.folder).items()}
        digest = hashlib.sha256(self._page.encode())
        for path, data in sorted(self._files.items()):
            digest.update(f"{path}\0{len(data)}\0".encode() + data)
        self._manuals: dict[Language, str] = {}
        #: Changes with any file: what a browser keeps for ever has another address then.
        self.version = digest.hexdigest()[:16]

    def page(self, app: str = "") -> Response:
        """The page of an app; Duly's own without a name."""
        up = "../.." if app else "."
        script = f"apps/{app}/index.js" if app else "app.js"
        static = f"{up}/static/{self.version}"
        text = self._page.replace("{{static}}", static).replace("{{script}}", f"{static}/{script}")
        return Response(text, media_type="text/html", headers=PAGE_HEADERS)

    def manual(self, request: Request) -> Response:
        """The API's description for people; `?lang=` goes before what their browser likes."""
        asked = request.query_params.get("lang")
        words: Language = language(request) if asked not in ("en", "zh") else "zh" if asked == "zh" else "en"
        if words not in self._manuals:
            described = request.app.openapi()
            self._manuals[words] = manual.page(described, words, f"./static/{self.version}")
        headers = {**PAGE_HEADERS, "Vary": "Accept-Language", "Content-Language": words}
        return Response(self._manuals[words], media_type="text/html", headers=headers)

    def file(self, version: str, path: str) -> Response:
        """One file; 404 for another version's: a page that is that old loads itself anew."""
        data = self._files.get(path) if version == self.version else None
        if data is None:
            raise HTTPException(404, "there is no such file")
        kind = TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        return Response(data, media_type=kind, headers=FILE_HEADERS)


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "index.html")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def routes(apps: Mapping[str, Pages]) -> APIRouter:
    """The routes of all pages; open to read, for a page cannot send a token before it is loaded."""
    found, site = APIRouter(tags=["pages"]), Site(apps)

    @found.get("/", include_in_schema=False)
    async def home() -> Response:
        """Duly's own pages."""
        return site.page()

    @found.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        """What the API offers, for people."""
        return site.manual(request)

    @found.get("/static/{version}/{path:path}", include_in_schema=False)
    async def static(version: str, path: str) -> Response:
        """A file that pages are made of."""
        return site.file(version, path)

    for name in site.apps:
        found.add_api_route(f"/apps/{name}/", _of(site, name), include_in_schema=False)
    return found


def _of(site: Site, name: str) -> Callable[[], Awaitable[Response]]:
    async def page() -> Response:
        return site.page(name)

    return page


router = APIRouter(prefix="/api/apps", tags=["pages"])


@router.get("")
async def apps(_principal: PrincipalDep, parts: PartsDep) -> Response:
    """The apps that have pages here."""
    found = parts.app.declared.app_pages.values()
    return JSONResponse(
        {"apps": [{"name": one.name, "title": one.title, "title_zh": one.title_zh} for one in found]}
    )
