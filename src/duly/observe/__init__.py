"""6 Show: log lines of what the stages emit, and why a task stands where it stands. Read-only."""
