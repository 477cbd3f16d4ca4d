"""What reasons say, as people read it."""

from __future__ import annotations

from duly.observe.phrases import phrase


def test_moments_and_spans_read_well() -> None:
    """To the second, with the zone; in Chinese no space between two characters."""
    kept = {"at": "2026-12-30T05:37:51.717Z", "span_ms": 1000}
    assert phrase("kept", kept, zh=False) == "It is kept until 2026-12-30 05:37:51 UTC, for 1 s more."
    assert phrase("completed", {"span_ms": 5}, zh=True) == "已于不到 1 秒前完成。"
    assert phrase("completed", {"span_ms": 5000}, zh=True) == "已于 5 秒前完成。"
    assert "，还有不到 1 秒。" in phrase("kept", kept | {"span_ms": 5}, zh=True)
