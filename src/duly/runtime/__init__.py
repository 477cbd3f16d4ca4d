"""The only place that chooses concrete parts: `app` composes them, `loops` repeats, `supervisor` watches."""
