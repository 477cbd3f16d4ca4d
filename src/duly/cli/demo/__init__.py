"""`duly demo`: a rehearsed crash, measured while it happens.

`command` is the command, `story` the order of events and what each promised; `server` runs a real
`duly serve` in a temporary folder, `receiver` is where the signed webhook arrives, `telling` has the words.
"""

from duly.cli.demo.command import register

__all__ = ["register"]
