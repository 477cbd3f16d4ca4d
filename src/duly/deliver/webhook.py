"""The webhook channel: a signed POST by Standard Webhooks, to an address that was checked, without redirects.

A status of 2xx delivers, 410 ends it, anything else is tried again by the outbox's schedule.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import httpx2
from standardwebhooks import Webhook as Signer

from duly.clock import Clock, SystemClock
from duly.deliver.addresses import Endpoint, Forbidden, Resolve, checked
from duly.deliver.channel import Reply
from duly.deliver.render import webhook_body
from duly.model.task import Task
from duly.store.deliveries import Delivery

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
#: Addresses of one host that are tried within a send.
MOST_ADDRESSES = 3
#: How much of an answer is read, and how much of that is kept in `last_error`.
READ_BYTES = 2048
KEPT_CHARACTERS = 200


class WebhookChannel:
    """Sends to `delivery.target["url"]`; `private` also allows private networks and this host."""

    def __init__(
        self,
        secret: str,
        *,
        private: bool = False,
        clock: Clock | None = None,
        resolve: Resolve | None = None,
        total: float = TOTAL_SECONDS,
    ) -> None:
        self._signer = Signer(secret)
        self._private = private
        self._clock = clock or SystemClock()
        self._resolve = resolve
        self._total = total
        self._agent = f"duly/{version('duly')}"
        self._client: httpx2.AsyncClient | None = None

    def render(self, task: Task) -> str:
        """The body by Standard Webhooks."""
        return webhook_body(task)

    async def send(self, delivery: Delivery, body: str, task: Task) -> Reply:  # noqa: ARG002 - the protocol's
        """Sends once; every failure is a `Reply`."""
        try:
            async with asyncio.timeout(self._total):
                target = str(delivery.target.get("url", ""))
                endpoint = await checked(target, private=self._private, resolve=self._resolve)
                return await self._post(endpoint, delivery.id, body)
        except Forbidden as error:
            return Reply(ok=False, final=True, error=f"forbidden: {error}")
        except TimeoutError:
            return Reply(ok=False, error=f"no answer within {self._total:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Reply(ok=False, error=f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Closes what is open."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _post(self, endpoint: Endpoint, id_: str, body: str) -> Reply:
        """Connects to the first checked address that answers; DNS is not asked again."""
        headers = self._headers(endpoint, id_, body)
        refused: httpx2.HTTPError | None = None
        for address in endpoint.addresses[:MOST_ADDRESSES]:
            request = self._open().build_request(
                "POST",
                endpoint.url.copy_with(host=address),
                content=body.encode(),
                headers=headers,
                extensions={"sni_hostname": endpoint.host},
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
        return Reply(
            ok=False,
            code=response.status_code,
            error=f"HTTP {response.status_code}{': ' if said else ''}{said}",
            final=response.status_code == httpx2.codes.GONE,
            retry_after=self._retry_after(response.headers.get("retry-after")),
        )

    def _headers(self, endpoint: Endpoint, id_: str, body: str) -> dict[str, str]:
        now = self._clock.now_ms() // 1000
        return {
            "host": endpoint.url.netloc.decode("ascii"),
            "user-agent": self._agent,
            "content-type": "application/json",
            "accept": "*/*",
            "accept-encoding": "identity",
            "webhook-id": id_,
            "webhook-timestamp": str(now),
            "webhook-signature": self._signer.sign(id_, datetime.fromtimestamp(now, UTC), body),
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
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.now_ms() / 1000)
        except (ValueError, OverflowError):
            return None


async def _beginning(response: httpx2.Response) -> str:
    """The first bytes of an answer, undecoded: a compressed bomb stays packed."""
    held = bytearray()
    async for chunk in response.aiter_raw(READ_BYTES):
        held += chunk
        if len(held) >= READ_BYTES:
            break
    return held[:READ_BYTES].decode("utf-8", "replace")
