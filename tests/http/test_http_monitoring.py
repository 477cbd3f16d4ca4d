"""/api/monitoring: what is watched, over HTTP; `duly monitor` shows the same."""

from __future__ import annotations

import pytest
from site_under_test import Site


async def test_an_operator_is_told(site: Site) -> None:
    """Figures and alarms; the shape does not depend on whether there is anything."""
    async with site.admin as admin:
        assert (await admin.post("/api/tasks", json={"task_type": "echo"})).status_code == 202
        told = (await admin.get("/api/monitoring", params={"hours": 1})).json()
    names = ["hours", "tasks", "success_rate", "failure_rate", "durations", "retries", "backlog", "workers"]
    assert list(told) == [*names, "alerts"]
    assert (told["backlog"], told["tasks"]["pending"], told["retries"]) == (
        1,
        1,
        [{"retry_count": 0, "count": 1}],
    )
    codes = [alert["code"] for alert in told["alerts"]]
    assert codes == ["failure_rate", "mean_duration", "backlog", "no_worker"]


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "9999", "x"])
async def test_a_bad_question_is_a_problem(site: Site, hours: str) -> None:
    """In words."""
    async with site.admin as admin:
        answer = await admin.get("/api/monitoring", params={"hours": hours})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_only_administrators_are_told(site: Site) -> None:
    """As other numbers of all owners."""
    async with site.user("ann") as ann:
        assert (await ann.get("/api/monitoring")).status_code == 403
