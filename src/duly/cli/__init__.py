"""The command `duly`, thin like the API: read the options, ask a desk, show the answer.

`main` lists the commands, `shell` turns every expected error into one line, `grouped` lets a command take
its options in groups (`options`). `desk` is what commands ask: `local` answers from the database, `remote`
over HTTP, in the same words. `table`, `sheet`, `result` and `progress` show the answers; `demo` is a
rehearsed crash. Nothing heavy is imported before a command runs.
"""
