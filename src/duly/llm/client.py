"""One request to one provider over the official SDK, and what that gets wrong put right.

The SDK retries nothing here. What it lets through is refused: HTML with status 200, broken JSON, a stream
that ends without a finish_reason, a body that drips on for ever. Source: measurements of openai 3.54.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import openai
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from duly.llm import failures, questions
from duly.llm.failures import Failure, Kind, RequestFailed
from duly.llm.providers import Provider
from duly.model import wire
from duly.model.chat import ChatRequest, Told, Usage

#: Characters of one answer: a stream without an end must not fill the memory.
MOST_CHARACTERS = 4_000_000
#: Seconds to reach a provider.
CONNECT_SECONDS = 10.0
#: Seconds for what a provider says after the end of an answer: its usage.
USAGE_SECONDS = 5.0
_WITH_USAGE = {"include_usage": True}
#: Whether the question of the task under way is complete: what goes wrong before is no answer's fault.
_COMPLETE: ContextVar[bool] = ContextVar("complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What one request brought."""

    text: str
    finish_reason: str
    model: str
    usage: Usage | None
    request_id: str | None


class _Untold(Exception):
    """Who asked could not be told; `why` is his error, none of the provider's."""

    def __init__(self, why: Exception) -> None:
        super().__init__(str(why))
        self.why = why


class _Idle(RequestFailed):
    """No next piece came."""


class _Growing:
    """An answer that comes in pieces."""

    def __init__(self) -> None:
        self._text: list[str] = []
        #: The first surrogate of a pair whose second one is in the next piece.
        self._half = ""
        self._size = 0
        self._finish: str | None = None
        self._model: str | None = None
        self._id: str | None = None
        self._usage: Usage | None = None

    def take(self, piece: Any) -> str:
        """One more piece; answers its text."""
        self._model, self._id = piece.model or self._model, piece.id or self._id
        self._usage = usage_of(piece.usage) or self._usage
        if not piece.choices:
            return ""
        choice = piece.choices[0]
        self._finish = choice.finish_reason or self._finish
        text = self._half + _said(choice.delta.content)
        whole = len(text) - ("\ud800" <= text[-1:] <= "\udbff")
        self._half = text[whole:]
        return self._add(text[:whole])

    def rest(self) -> str:
        """What is left at its end: a half that stayed alone."""
        return self._add(self._half)

    def _add(self, text: str) -> str:
        part = wire.mended(text)
        self._text.append(part)
        self._size += len(part)
        if self._size > MOST_CHARACTERS:
            message = f"more than {MOST_CHARACTERS:,} characters"
            raise RequestFailed(failures.bad_answer("too_long", message))
        return part

    @property
    def ended(self) -> bool:
        """Whether all of its text is there; its usage may follow."""
        return self._finish not in (None, "null")

    def raw(self) -> Raw:
        """The whole of it."""
        return _raw("".join(self._text), self._finish, self._model, self._usage, self._id)


class _Sdk(AsyncOpenAI):
    """The SDK; it says when a request is ready to be sent."""

    async def _prepare_request(self, request: Any) -> None:  # noqa: ARG002 - the SDK calls it so
        _COMPLETE.set(True)


class Client:
    """Asks one provider."""

    def __init__(self, provider: Provider, key: str) -> None:
        self._provider = provider
        timeout = _silence(provider.idle)
        self._http = DefaultAsyncHttpxClient(
            trust_env=False, proxy=provider.proxy or None, timeout=timeout, follow_redirects=False
        )
        self._sdk = _Sdk(
            api_key=key or "none",
            base_url=provider.base_url,
            max_retries=0,
            timeout=timeout,
            default_headers=dict(provider.headers) or None,
            http_client=self._http,
        )
        # The SDK takes these from variables that may be meant for another provider.
        self._sdk.organization = self._sdk.project = None
        self._create: Any = self._sdk.chat.completions.create  # its types are those of OpenAI's own models

    @property
    def _streams(self) -> bool:
        return self._provider.stream and self._provider.kind == "chat"

    async def close(self) -> None:
        """Closes its connections."""
        await self._sdk.close()

    async def ask(self, request: ChatRequest, seconds: float, told: Told) -> Raw:
        """The answer, within so many seconds.

        Raises:
            RequestFailed: no usable answer came; it says what that means.
        """
        _COMPLETE.set(False)
        try:
            async with asyncio.timeout(seconds):
                if self._provider.kind == "bailian_app":
                    return await self._app(request, _silence(seconds))
                if self._streams:
                    return await self._streamed(request, told)
                return await self._whole(request, _silence(seconds))
        except TimeoutError:
            message = f"Timeout after {seconds:g}s"
            raise RequestFailed(Failure(kind=Kind.RETRY, code="timeout", message=message)) from None
        except _Untold as error:
            raise error.why from error.why.__cause__
        except openai.APIStatusError as error:
            raise RequestFailed(self._refusal(error)) from None
        except openai.APITimeoutError as error:
            raise RequestFailed(self._silent(error, seconds)) from None
        except openai.APIError as error:  # of the connection, or told within a stream
            failure = self._told(error.body)
            raise RequestFailed(
                failure or Failure(kind=Kind.RETRY, code="connection", message=_why(error))
            ) from None
        except (ValueError, TypeError, AttributeError) as error:  # JSON that is none, or of another shape
            if not _COMPLETE.get():
                raise RequestFailed(failures.bad_question(str(error))) from None
            raise RequestFailed(failures.bad_answer("broken_json", f"not JSON: {error}")) from None
        except OSError as error:
            raise RequestFailed(Failure(kind=Kind.RETRY, code="connection", message=_why(error))) from None

    async def _whole(self, request: ChatRequest, silence: openai.Timeout) -> Raw:
        answer = await self._create(**questions.body(self._provider, request), stream=False, timeout=silence)
        choices = getattr(answer, "choices", None)
        if not choices:
            no = failures.bad_answer("no_answer", f"no completion: {str(answer)[:100]}")
            raise RequestFailed(self._told(getattr(answer, "error", None)) or no)
        return _raw(
            _said(choices[0].message.content),
            choices[0].finish_reason,
            answer.model,
            answer.usage,
            getattr(answer, "_request_id", None) or answer.id,
        )

    async def _streamed(self, request: ChatRequest, told: Told) -> Raw:
        body = questions.body(self._provider, request)
        stream = await self._create(**body, stream=True, stream_options=_WITH_USAGE)
        growing = _Growing()

        async def tell(part: str) -> None:
            if not part or not request.streams:
                return
            try:
                await told(part)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's
                raise _Untold(error) from None

        def patience() -> float:
            return min(self._provider.idle, USAGE_SECONDS) if growing.ended else self._provider.idle

        async with stream:
            try:
                async for piece in _in_time(stream, patience):
                    await tell(growing.take(piece))
            except (_Idle, openai.APIConnectionError):
                if not growing.ended:  # else it is whole and paid for, though its usage was not said
                    raise
        await tell(growing.rest())
        return growing.raw()

    async def _app(self, request: ChatRequest, silence: openai.Timeout) -> Raw:
        """Bailian's app completion: the app is the model, its instructions are its own. It takes one text."""
        app = self._provider.model_for(request.model)
        prompt = questions.as_prompt(questions.with_schema(request))
        body = {"input": {"prompt": prompt}, "parameters": dict(self._provider.extra_body), "debug": {}}
        options: Any = {"timeout": silence}
        answer: Any = await self._sdk.post(
            f"/apps/{app}/completion", body=body, cast_to=object, options=options
        )
        output = answer.get("output") if isinstance(answer, Mapping) else None
        if not isinstance(output, Mapping):
            no = failures.bad_answer("no_answer", f"no output: {str(answer)[:100]}")
            raise RequestFailed(self._told(answer) or no)
        match answer.get("usage"):
            case {"models": [Mapping() as used, *_]}:
                pass
            case _:
                used = {}
        usage = _usage(used.get("input_tokens"), used.get("output_tokens"))
        finish = output.get("finish_reason")
        model = used.get("model_id") or app
        return _raw(_said(output.get("text")), finish, model, usage, answer.get("request_id"))

    def _silent(self, error: openai.APITimeoutError, seconds: float) -> Failure:
        """What a timeout of the SDK's means: nobody there, or no word from him."""
        if type(error.__cause__).__name__ == "ConnectTimeout":
            message = f"no connection within {CONNECT_SECONDS:g}s"
            return Failure(kind=Kind.RETRY, code="connection", message=message)
        silent = self._provider.idle if self._streams else seconds
        return Failure(kind=Kind.RETRY, code="timeout", message=f"nothing came for {silent:g}s")

    def _told(self, body: object) -> Failure | None:
        """What an error means that came with status 200."""
        return failures.told(body, quota_per_minute=self._provider.counts_by_minute)

    def _refusal(self, error: openai.APIStatusError) -> Failure:
        body = error.body if isinstance(error.body, Mapping) else {}
        code = str(body.get("code") or body.get("type") or "")
        message = str(body.get("message") or error.message)
        after = retry_after(error.response.headers)
        per_minute = self._provider.counts_by_minute
        return failures.of_status(error.status_code, code, message, after=after, quota_per_minute=per_minute)


def _silence(seconds: float) -> openai.Timeout:
    """How long nothing may come. Of an answer that comes whole nothing comes before its end."""
    return openai.Timeout(seconds, connect=CONNECT_SECONDS)


def _said(content: Any) -> str:
    """The text of an answer, which some give in parts."""
    if isinstance(content, list):
        texts = [one.get("text") for one in content if isinstance(one, Mapping)]
        return "".join(one for one in texts if isinstance(one, str))
    return questions.as_text(content) if content else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a provider asks for; dates and nonsense are not read."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds <= 86_400:
            return seconds
    return None


async def _in_time(stream: Any, patience: Callable[[], float]) -> AsyncIterator[Any]:
    """The pieces of a stream, each within so many seconds: the SDK counts each byte as a sign of life."""
    pieces = aiter(stream)
    while True:
        idle = patience()
        try:
            async with asyncio.timeout(idle):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            message = f"nothing came for {idle:g}s"
            raise _Idle(Failure(kind=Kind.RETRY, code="idle", message=message)) from None
        yield piece


def _raw(text: str, finish: Any, model: Any, usage: Any, request_id: Any) -> Raw:
    if not finish or finish == "null":
        raise RequestFailed(failures.bad_answer("truncated", "the answer ended without a finish_reason"))
    if finish == "content_filter":
        message = "the answer was held back by the provider's content filter"
        raise RequestFailed(Failure(kind=Kind.FATAL, code="content_filter", message=message))
    return Raw(
        text=wire.mended(text),
        finish_reason=wire.mended(str(finish)),
        model=wire.mended(str(model or "")),
        usage=usage_of(usage),
        request_id=None if request_id is None else wire.mended(str(request_id)),
    )


def usage_of(given: Any) -> Usage | None:
    """What the SDK read, in our words; what was not said, or not in whole numbers, is None."""
    if given is None or isinstance(given, Usage):
        return given
    details = getattr(given, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None)
    prompt, completion = (getattr(given, name, None) for name in ("prompt_tokens", "completion_tokens"))
    return _usage(prompt, completion, cached)


def _usage(prompt: Any, completion: Any, cached: Any = None) -> Usage | None:
    if not _is_count(prompt) or not _is_count(completion):
        return None
    known = cached if _is_count(cached) else None
    return Usage(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=known)


def _is_count(given: Any) -> bool:
    return type(given) is int and 0 <= given <= wire.MAX_INTEGER


def _why(error: BaseException) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}".rstrip(": ")[:300]
