"""The script of a fake model server: which call meets which fault. TOML; see `docs/en/llm.md`."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from duly.model.errors import InvalidInput

Kind = Literal[
    "error",
    "rate_limit",
    "quota",
    "unauthorized",
    "arrearage",
    "filtered",
    "html",
    "broken_json",
    "no_usage",
    "no_choices",
    "length",
    "truncated",
    "drip",
    "hang",
    "reset",
    "endless",
    "inner_error",
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(_Part):
    """A fault and the calls that meet it: those that fit all that is said."""

    kind: Kind
    #: Numbers of calls, from 1; or the first so many; or this share of them, drawn from the seed.
    calls: tuple[int, ...] = ()
    first: int | None = Field(None, ge=0)
    share: float | None = Field(None, ge=0, le=1)
    #: Text that stands in the prompt; the model that is asked for.
    when: str = ""
    model: str = ""
    #: At most so often.
    times: int | None = Field(None, ge=0)
    status: int = Field(500, ge=300, le=599)
    #: Seconds: what a 429 asks for, and what a drip or a hang lasts.
    retry_after: float | None = Field(None, ge=0)
    seconds: float = Field(30, ge=0)
    #: What an error is called that stands in an answer with status 200.
    code: str = "DataInspectionFailed"


class Answer(_Part):
    """What is answered to prompts that hold a text: the texts in turn, the last one again and again."""

    when: str = ""
    texts: tuple[str, ...] = Field(min_length=1)


class Script(_Part):
    """All that a fake server does besides answering."""

    seed: int = 1
    #: Seconds that an answer takes, and words in one that no `answer` fits.
    latency: float = Field(default=0, ge=0)
    words: int = Field(default=24, ge=1, le=10_000)
    fault: tuple[Fault, ...] = ()
    answer: tuple[Answer, ...] = ()

    def fault_of(self, number: int, prompt: str, model: str, met: dict[int, int]) -> Fault | None:
        """The first fault that this call meets; `met` counts how often each was."""
        for place, one in enumerate(self.fault):
            if met.get(place, 0) < (one.times if one.times is not None else number) and self._fits(
                one, number, prompt, model
            ):
                met[place] = met.get(place, 0) + 1
                return one
        return None

    def _fits(self, one: Fault, number: int, prompt: str, model: str) -> bool:
        drawn = random.Random(f"{self.seed}/{number}").random()  # noqa: S311 - the same in each run
        return (
            (not one.calls or number in one.calls)
            and (one.first is None or number <= one.first)
            and (one.share is None or drawn < one.share)
            and one.when in prompt
            and one.model in ("", model)
        )


def read(path: Path) -> Script:
    """The script in a file.

    Raises:
        InvalidInput: no file, no TOML, or words that no script has.
    """
    try:
        return Script.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{path}: {where}: {first['msg']}") from None
