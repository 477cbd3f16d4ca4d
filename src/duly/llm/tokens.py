"""How many tokens a text will be, before a provider counts them: a rule of thumb for Chinese and English.

Measured against the vocabularies of Qwen and o200k it is 24 % too low to 29 % too high.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from duly.model.chat import ChatRequest

_WIDE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WIDE_MARKS = re.compile(r"[\u3000-\u303f\uff00-\uffef]")
_WORDS = re.compile(r"[A-Za-z]+")
_DIGITS = re.compile(r"[0-9]")
#: An estimate may be too low by this; tokens of an answer that nothing is known of.
SAFETY, ANSWER = 1.4, 256
_OTHER = re.compile(r"[^\sA-Za-z0-9\u3000-\u303f\u3400-\u9fff\uf900-\uffef]")


def estimate(text: str) -> int:
    """Tokens of a text, about."""
    words = _WORDS.findall(text)
    letters = sum(map(len, words))
    return round(
        0.75 * len(_WIDE.findall(text))
        + 0.8 * len(_WIDE_MARKS.findall(text))
        + max(len(words), letters / 4.2)
        + 0.6 * len(_DIGITS.findall(text))
        + 0.6 * len(_OTHER.findall(text))
    )


def of_messages(messages: Iterable[Mapping[str, Any]]) -> int:
    """Tokens of a prompt, about."""
    return sum(4 + estimate(str(one.get("content", ""))) for one in messages)


def reservation(request: ChatRequest) -> int:
    """What is set aside for a request, before its provider counts."""
    most = request.options.get("max_tokens", request.options.get("max_completion_tokens"))
    answer = most if isinstance(most, int) else ANSWER
    return round(SAFETY * of_messages(request.messages)) + answer
