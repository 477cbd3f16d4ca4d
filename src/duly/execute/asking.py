"""`ctx.llm`: a question to a model as a remembered step. What was paid for is recorded before anything else.

The worker asks (`Models`), wherever the handler runs; what an answer means is read here, with the handler's
own types.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from duly.execute.steps import Place, StepBook, outside_steps
from duly.execute.waiting import Parking
from duly.failpoints import failpoint
from duly.model import structured, wire
from duly.model.chat import ChatAnswer, ChatRequest, Messages, ModelFailed, Paid
from duly.model.errors import InvalidInput
from duly.model.events import EventType
from duly.model.task import Claimed, Step

Message = Mapping[str, Any]
ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A model's answer. `value`: what `schema` asked for. `usage` ({prompt_tokens, completion_tokens,
    cached_tokens}) and `cost` ({amount, currency, as_of}) are None where they are not known."""

    text: str
    value: Any = None
    #: Whether its JSON was broken and was repaired.
    repaired: bool = False
    finish_reason: str
    provider: str
    model: str
    usage: Mapping[str, Any] | None
    cost: Mapping[str, Any] | None
    request_id: str | None
    #: Requests that were made for it.
    tries: int
    #: The id of the prompt: that of its file and version, else a digest of the messages.
    prompt: str


class AskPen(Protocol):
    """Where a context asks models."""

    async def chat(self, request: ChatRequest) -> ChatAnswer: ...

    async def record(self, step: Step, paid: Paid | None = None) -> None: ...

    async def spend(self, paid: Paid) -> None: ...

    async def leaving(self) -> bool: ...

    async def line(self, type_: EventType, data: Mapping[str, Any]) -> None: ...


class Asking:
    """The part of `Context` that has to do with models."""

    attempt: Any
    parking: Parking
    _book: StepBook
    _pen: Any
    _claimed: Claimed

    @property
    def llm(self) -> Models:
        """Models: `await ctx.llm.chat("summary", messages)`."""
        return Models(self._claimed, self._book, self._pen, self.parking)


class Models:
    """What a handler asks models by."""

    def __init__(self, claimed: Claimed, book: StepBook, pen: AskPen, parking: Parking) -> None:
        self._claimed, self._book, self._pen, self._parking = claimed, book, pen, parking

    def chat(
        self,
        name: str,
        messages: str | Sequence[Message],
        /,
        *,
        model: str = "",
        schema: Any = None,
        prompt: str = "",
        key: str | None = None,
        offline: Callable[[], Any] | None = None,
        **options: Any,
    ) -> Coroutine[Any, Any, Chat]:
        """Asks a model once in the task's life and remembers its answer, as `Context.step` does.

        `messages`: a text, or as OpenAI writes them. `model`: a provider's name or a model's; none: whom the
        router chooses. `schema`: a Pydantic model, or any type that Pydantic knows; what the answer holds is
        its `value`, and an answer that does not fit is asked for once more, with what was wrong. `prompt`:
        the id and version of the prompt's file; messages of a `duly.llm.prompts.Prompt` bring theirs along.
        `offline`: what answers instead of a model, by rules, at a provider of kind offline. `options` go to
        the provider: temperature, max_tokens …

        Raises:
            ModelFailed: no provider will answer, or twice the answer did not fit, or a budget is used up.
            ModelAway, ModelPaused: none can answer now; leave them alone, and the task is tried again.
            ReplayMismatch: something else was recorded here.
        """
        outside_steps(name)
        said = _messages(messages)
        shape = structured.schema_of(schema) if schema is not None else None
        given = ["chat", said, model, shape, options]
        places = [self._book.take(name, key, given)]
        if schema is not None:
            places.append(self._book.take(f"{name[:54]}.again", key, given))
        request = ChatRequest(
            messages=said,
            model=model,
            task_type=self._claimed.task_type,
            task_id=self._claimed.id,
            step=places[0].name,
            tenant=self._claimed.tenant,
            owner=self._claimed.owner,
            schema=shape,
            options=options,
            streams=schema is None,
        )
        prompt = wire.checked_text(prompt or _prompt_id(messages, said), "the prompt's id")
        asked = _Asked(request, schema, prompt, offline)
        return self._chat(places, asked)

    async def _chat(self, places: list[Place], asked: _Asked) -> Chat:
        first = await self._told(places[0], asked, last=asked.kind is None)
        if first.get("problem") is None:
            return _read(first, asked.kind)
        again = await self._told(places[1], asked.again(first["text"], first["problem"]), last=True)
        return _read(again, asked.kind)

    async def _told(self, place: Place, asked: _Asked, *, last: bool) -> dict[str, Any]:
        """What is recorded here, asked for if nothing is."""
        if place.recorded is not None:
            known: dict[str, Any] = place.value()
            return known
        with self._parking.active():
            if not await self._pen.leaving():
                return await self._ask(place, asked, last=last)
        parked: dict[str, Any] = await self._parking.park()
        return parked

    async def _ask(self, place: Place, asked: _Asked, *, last: bool) -> dict[str, Any]:
        request = replace(asked.request, step=place.name, n=place.n, prompt=asked.prompt)
        with self._book.watched():
            answer = await self._pen.chat(request)
        failpoint("chat.answered")
        words = asked.words(answer)
        paid = Paid(step=place.name, n=place.n, prompt=asked.prompt, answer=answer)
        if words.get("problem") is not None and (last or answer.finish_reason == "length"):
            # Not recorded: who lets the task run once more wants another answer.
            await self._pen.spend(paid)
            await self._count(place, answer)
            self._book.shake()
            code = "answer_cut" if answer.finish_reason == "length" else "invalid_answer"
            raise ModelFailed(f"step {place.name!r}: {words['problem']}", code=code)
        text = wire.dumps(words, what=f"the answer of step {place.name!r}")
        took = round(answer.duration_ms)
        await self._pen.record(place.step(self._claimed.attempt, value=text, duration_ms=took), paid)
        failpoint("chat.recorded")
        await self._count(place, answer)
        told: dict[str, Any] = wire.loads_own(text)
        return told

    async def _count(self, place: Place, answer: ChatAnswer) -> None:
        """Notes in the timeline what was used; unknown is null."""
        words = answer.words
        usage, cost = words["usage"] or {}, words["cost"] or {}
        line = {
            "step": place.name,
            "provider": answer.provider,
            "model": answer.model,
            "prompt_tokens": usage.get("prompt_tokens"),
            "completion_tokens": usage.get("completion_tokens"),
            "cost": cost.get("amount"),
            "currency": cost.get("currency"),
        }
        await self._pen.line(EventType.USAGE, line)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, and how its answer is read."""

    request: ChatRequest
    kind: Any
    prompt: str
    offline: Callable[[], Any] | None

    def again(self, text: str, problem: str) -> _Asked:
        """The same question once more, with what was wrong with an answer."""
        more = [
            {"role": "assistant", "content": text},
            {
                "role": "user",
                "content": f"This does not fit: {problem}. Answer with correct JSON only.",
            },
        ]
        request = replace(self.request, messages=[*self.request.messages, *more])
        return _Asked(request, self.kind, self.prompt, self.offline)

    def words(self, answer: ChatAnswer) -> dict[str, Any]:
        """What is recorded of an answer. One that cannot be kept is paid for: it is of the wrong shape."""
        words = {**answer.words, "prompt": self.prompt}
        if answer.finish_reason == "offline":
            return {**words, "value": self._by_rules()}
        if self.kind is not None:
            found = structured.found(answer.text, answer.finish_reason, self.kind)
            words |= {"value": found.value, "repaired": found.repaired, "problem": found.problem}
        try:
            wire.dumps(words, what="the answer")
        except InvalidInput as error:
            return {**words, "value": None, "problem": str(error)}
        return words

    def _by_rules(self) -> Any:
        if self.offline is None:
            raise ModelFailed(f"step {self.request.step!r} needs a model, and none is there", code="offline")
        what = f"what step {self.request.step!r} answers by rules"
        value = wire.loads_own(wire.dumps(self.offline(), what=what))
        if self.kind is not None and (problem := structured.checked(self.kind, value).problem):
            raise ModelFailed(f"{what} does not fit: {problem}", code="invalid_answer")
        return value


def _read(words: Mapping[str, Any], kind: Any) -> Chat:
    value = words.get("value")
    known = {name: words[name] for name in Chat.__slots__ if name in words}
    return Chat(**{**known, "value": value if kind is None else structured.value_of(kind, value)})


def _messages(given: str | Sequence[Message]) -> list[dict[str, Any]]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    said = [dict(one) for one in given]
    if not said or any(one.get("role") not in ROLES for one in said):
        raise InvalidInput("messages are a text, or a list of {role, content}: system, user, assistant, tool")
    return said


def _prompt_id(given: str | Sequence[Message], said: Sequence[Message]) -> str:
    if isinstance(given, Messages):
        return given.prompt
    return f"sha256:{hashlib.sha256(wire.dumps(said).encode()).hexdigest()[:16]}"


class BlockingAsking:
    """`Asking` for plain handlers."""

    _context: Any
    _run: Callable[[Coroutine[Any, Any, Any]], Any]

    @property
    def llm(self) -> BlockingModels:
        """See `Context.llm`."""
        return BlockingModels(self._context.llm, self._run)


class BlockingModels:
    """`Models` for plain handlers."""

    def __init__(self, models: Models, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._models, self._run = models, run

    def chat(self, name: str, messages: str | Sequence[Message], /, **how: Any) -> Chat:
        """See `Models.chat`."""
        chat: Chat = self._run(self._models.chat(name, messages, **how))
        return chat
