"""The pages: static ES modules without a build step, on nothing but the public HTTP API.

`static/` is served as it is. `html.js` binds the vendored Preact, htm and signals; `words.js` holds all
texts; `api.js` speaks to the server, `live.js` hears it; `shell.js` is what every page stands in; `tasks.js`,
`task.js`, `submit.js` and `login.js` are pages, `app.js` chooses between them.
"""

from __future__ import annotations

from pathlib import Path

#: What is served.
STATIC = Path(__file__).parent / "static"
