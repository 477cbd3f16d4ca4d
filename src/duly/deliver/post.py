"""One POST to a URL that a user gave: to an address that was checked, without redirects, bounded in all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any

import httpx2

from duly.clock import Clock, SystemClock
from duly.deliver.addresses import Allowed, Checked, Forbidden, Resolve, checked
from duly.deliver.channel import Reply
from duly.model.delivery import Outcome
from duly.model.signing import signature

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
#: Addresses of one host that are tried within a send.
MOST_ADDRESSES = 3
#: How much of an answer is read, and how much of that is kept in `last_error`.
READ_BYTES = 2048
KEPT_CHARACTERS = 200
#: After these words of the transport the receiver may have the request.
WRITTEN = "send_request_body.complete"
_JSON = {"content-type": "application/json"}


class Poster:
    """Sends to any URL that may be called; `private` also allows private networks and this host, `allow` what
    an operator named (`webhook_allow`)."""

    def __init__(
        self,
        *,
        private: bool = False,
        allow: Sequence[Allowed] = (),
        clock: Clock | None = None,
        resolve: Resolve | None = None,
        total: float = TOTAL_SECONDS,
    ) -> None:
        self._private = private
        self._allow = tuple(allow)
        self._resolve = resolve
        self._total = total
        self._agent = f"duly/{version('duly')}"
        self._client: httpx2.AsyncClient | None = None
        self.clock = clock or SystemClock()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Sends once; every failure is a `Reply`. It is `unknown` from the moment on when all was written."""
        phase = _Phase()
        try:
            async with asyncio.timeout(self._total):
                target = await checked(url, private=self._private, allow=self._allow, resolve=self._resolve)
                return await self._post(target, body, headers, phase)
        except Forbidden as error:
            return Reply(ok=False, final=True, error=f"forbidden: {error}")
        except TimeoutError:
            return Reply(ok=False, error=f"no answer within {self._total:g} s", kind=phase.kind)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Reply(ok=False, error=f"{type(error).__name__}: {error}", kind=phase.kind)

    async def signed(
        self, url: str, id_: str, body: bytes, secrets: Iterable[str], headers: Mapping[str, str] = _JSON
    ) -> Reply:
        """Posts a body signed by Standard Webhooks, under the clock of this moment."""
        now = self.clock.now_ms() // 1000
        ours = {"webhook-id": id_, "webhook-timestamp": str(now)}
        ours["webhook-signature"] = signature(secrets, id_, now, body)
        return await self.post(url, body, {**headers, **ours})

    async def close(self) -> None:
        """Closes what is open."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _post(self, target: Checked, body: bytes, headers: Mapping[str, str], phase: _Phase) -> Reply:
        """Connects to the first checked address that answers; DNS is not asked again."""
        refused: httpx2.HTTPError | None = None
        for address in target.addresses[:MOST_ADDRESSES]:
            request = self._open().build_request(
                "POST",
                target.url.copy_with(host=address),
                content=body,
                headers={**headers, **self._headers(target)},
                extensions={"sni_hostname": target.host, "trace": phase},
            )
            try:
                return await self._exchange(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refused = error
        raise refused or httpx2.ConnectError("there is no address to connect to")

    async def _exchange(self, request: httpx2.Request) -> Reply:
        response = await self._open().send(request, stream=True)
        try:
            if response.is_success:
                return Reply(ok=True, code=response.status_code)
            said = (await _beginning(response))[:KEPT_CHARACTERS].strip()
        finally:
            await response.aclose()
        gone = response.status_code == httpx2.codes.GONE
        return Reply(
            ok=False,
            code=response.status_code,
            error=f"HTTP {response.status_code}{': ' if said else ''}{said}",
            final=gone,
            retry_after=self._retry_after(response.headers.get("retry-after")),
            kind=Outcome.ROUTE_DEAD if gone else Outcome.RETRY,
        )

    def _headers(self, target: Checked) -> dict[str, str]:
        return {
            "host": target.url.netloc.decode("ascii"),
            "user-agent": self._agent,
            "accept": "*/*",
            "accept-encoding": "identity",
        }

    def _open(self) -> httpx2.AsyncClient:
        """The client, made on first use. Connections are not kept: two hosts may share an address, and TLS
        has verified only one of them."""
        if self._client is None:
            self._client = httpx2.AsyncClient(
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(self._total, connect=CONNECT_SECONDS),
                limits=httpx2.Limits(max_keepalive_connections=0),
            )
        return self._client

    def _retry_after(self, text: str | None) -> float | None:
        """Seconds; an HTTP date counts from now."""
        if not text:
            return None
        if text.strip().isdigit():
            return float(text.strip()[:9])
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self.clock.now_ms() / 1000)
        except (ValueError, OverflowError):
            return None


class _Phase:
    """How far a request has come, as the transport traces it."""

    def __init__(self) -> None:
        self._written = False

    @property
    def kind(self) -> Outcome:
        """What a failure from here on means."""
        return Outcome.UNKNOWN if self._written else Outcome.RETRY

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        if event.endswith(WRITTEN):
            self._written = True


async def _beginning(response: httpx2.Response) -> str:
    """The first bytes of an answer, undecoded: a compressed bomb stays packed."""
    held = bytearray()
    async for chunk in response.aiter_raw(READ_BYTES):
        held += chunk
        if len(held) >= READ_BYTES:
            break
    return held[:READ_BYTES].decode("utf-8", "replace")
