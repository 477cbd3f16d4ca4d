"""The reference cannot drift from the code, nor the code from the reference."""

from __future__ import annotations

import reference


def test_the_reference_is_what_the_code_says() -> None:
    """Settings, states, events, errors, routes and commands are documented as they are; else `make docs`."""
    assert reference.PAGE.read_text("utf-8") == reference.page(), "run `make docs`"


def test_the_state_diagram_has_every_transition() -> None:
    """The diagram comes from the table that the store obeys."""
    text = reference.PAGE.read_text("utf-8")
    assert "running --> retry" in text
    assert text.count("-->") > 20
