"""What an attempt may use of its worker: what children are made of, and who asks models."""

from __future__ import annotations

from dataclasses import dataclass

from duly.execute.family import Admit, no_children
from duly.model.chat import Models, no_models


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """By default neither is there, and the call says so."""

    admit: Admit = no_children
    models: Models = no_models


NONE = Means()
