"""5 Tell: what the outbox owes goes to webhooks and inboxes; those who watch follow a task live.

`outbox` claims, sends and records; `channel` is what it asks of a way to send; `webhook` (guarded by
`addresses`) and `inbox` are two; `render` writes the bodies; `schedule` says when a send is tried again.
"""
