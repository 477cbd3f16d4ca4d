"""The fake model server: scripts, answers that are the same each time, the log and the bill."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from duly.llm.fake.script import read
from duly.model.errors import InvalidInput
from support.models import fake

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def test_log_and_bill_tell_what_came_and_what_it_cost() -> None:
    """A refused call is logged and not billed; a call whose answer is lost is billed."""
    async with (
        fake({"kind": "error", "calls": [1]}, {"kind": "reset", "calls": [2]}) as server,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http,
    ):
        assert (await http.post("/v1/chat/completions", json=HELLO)).status_code == 500
        with pytest.raises(httpx2.TransportError):
            await http.post("/v1/chat/completions", json=HELLO)
        one, two = [(await http.post("/v1/chat/completions", json=HELLO)).json() for _ in range(2)]
        assert one["choices"] == two["choices"]
        assert one["system_fingerprint"] == "duly-fake-llm"
        log, bill = (await http.get("/_log")).json(), (await http.get("/_bill")).json()
    assert [line["fault"] for line in log["requests"]] == ["error", "reset", None, None]
    assert (bill["calls"], list(bill["by_prompt"].values())) == (3, [3])


async def test_a_share_of_calls_is_the_same_in_each_run() -> None:
    """Drawn from the seed and the call's number."""
    runs = []
    for _ in range(2):
        async with (
            fake({"kind": "error", "share": 0.5}) as server,
            httpx2.AsyncClient(base_url=server.url, trust_env=False) as http,
        ):
            runs.append([(await http.post("/chat/completions", json=HELLO)).status_code for _ in range(12)])
    assert runs[0] == runs[1]
    assert {200, 500} == set(runs[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[fault]]\nkind = "flood"\n', "fault.0.kind"),
        ("[[fault]]\n", "fault.0.kind"),
        ("seed = \n", "not TOML"),
        ("words = 0\n", "words"),
    ],
)
def test_a_wrong_script_says_where(tmp_path: Path, text: str, said: str) -> None:
    """One line, for the command line."""
    path = tmp_path / "faults.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=said):
        read(path)
    with pytest.raises(InvalidInput, match="No such file"):
        read(tmp_path / "none.toml")
