"""/api/schedules: made, replaced, steered and removed, each by who may, and refused with a problem."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import MakeSite, Site

from duly.testing import FakeClock

DAILY = {"task_type": "echo", "input": {"x": 1}, "cron": "0 8 * * 1-5", "zone": "Asia/Shanghai"}
PULSE = {"task_type": "echo", "every": 300, "name": "pulse"}


async def test_a_schedule_is_made_looked_at_and_removed(make_site: MakeSite) -> None:
    """The answer says all that was kept, and when it ticks next."""
    site = await make_site(clock=FakeClock())
    said = {**DAILY, "owner": "ann", "tags": ["a"], "catch_up": "all", "due": 5}
    async with site.admin as ann:
        made = await ann.put("/api/schedules/daily", json=said)
        assert made.status_code == 201, made.text
        body = made.json()
        assert (body["name"], body["owner"], body["cron"], body["zone"]) == (
            "daily",
            "ann",
            "0 8 * * 1-5",
            "Asia/Shanghai",
        )
        assert (body["input"], body["tags"], body["due"], body["catch_up"]) == ({"x": 1}, ["a"], 5, "all")
        assert body["next_at"] == body["next"][0] == "2027-01-18T00:00:00.000Z"
        assert len(body["next"]) == 5
        assert (await ann.get("/api/schedules/daily")).json() == body
        assert (await ann.get("/api/schedules")).json()["schedules"] == [body]
        assert (await ann.get("/api/schedules/daily/next?count=2")).json()["next"] == body["next"][:2]
        assert (await ann.delete("/api/schedules/daily")).status_code == 204
        assert (await ann.get("/api/schedules/daily")).json()["code"] == "schedule_not_found"


async def test_put_replaces_and_post_does_not(site: Site) -> None:
    """PUT answers 201 for a new one and 200 for a known one; POST of a taken name is a conflict."""
    async with site.user("ann") as ann:
        codes = [(await ann.put("/api/schedules/daily", json=DAILY)).status_code for _ in range(2)]
        again = await ann.put("/api/schedules/daily", json={**DAILY, "input": {"x": 2}})
        assert (codes, again.status_code, again.json()["input"]) == ([201, 200], 200, {"x": 2})
        assert (await ann.post("/api/schedules", json=PULSE)).status_code == 201
        taken = await ann.post("/api/schedules", json=PULSE)
    assert (taken.status_code, taken.json()["code"]) == (409, "schedule_taken")


async def test_pause_resume_and_run_now(site: Site) -> None:
    """A paused one has no next tick; run now answers the task, and where it is."""
    async with site.user("ann") as ann:
        await ann.post("/api/schedules", json=PULSE)
        paused = (await ann.post("/api/schedules/pulse/pause")).json()
        assert (paused["paused"], paused["next_at"], paused["next"]) == (True, None, [])
        assert len((await ann.get("/api/schedules/pulse/next")).json()["next"]) == 5
        resumed = (await ann.post("/api/schedules/pulse/resume")).json()
        assert (resumed["paused"], resumed["next_at"]) == (False, resumed["next"][0])
        run = await ann.post("/api/schedules/pulse/run")
        task = (await ann.get(run.headers["location"])).json()
    assert (run.status_code, task["metadata"]["schedule"]) == (202, "pulse")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"cron": "0 25 * * *"}, "bad hour"),
        ({"cron": "@daily"}, "five fields"),
        ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"every": 60}, "one of them"),
        ({"cron": None, "zone": None, "every": 0}, "every must be"),
        ({"cron": None, "zone": None}, "one of them"),
        ({"cron": None, "every": 60}, "zone goes with a cron line"),
        ({"every": "60"}, "every: "),
        ({"catch_up": "some"}, "catch_up must be"),
        ({"catch_up_most": 0}, "catch_up_most must be 1..1000"),
        ({"task_type": "nothing"}, "unknown task type"),
        ({"input": [1]}, "input: "),
        ({"due": "2030-01-01T00:00:00Z"}, "due: "),
        ({"deadline": -1}, "deadline lies in the past"),
        ({"idempotency_key": "k"}, "idempotency key"),
        ({"priority": 11}, "priority must be 1..10"),
        ({"strange": 1}, "unknown key"),
    ],
)
async def test_what_cannot_be_a_schedule_is_422(site: Site, change: dict[str, Any], detail: str) -> None:
    """With a detail that names what is wrong; nothing is kept."""
    async with site.user("ann") as ann:
        answer = await ann.put("/api/schedules/daily", json={**DAILY, **change})
        assert (answer.status_code, (await ann.get("/api/schedules")).json()["schedules"]) == (422, [])
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 101, "%00"])
async def test_a_name_that_cannot_be_one_is_422_to_make_and_404_to_look_at(site: Site, name: str) -> None:
    """Never an error of ours."""
    async with site.admin as admin:
        assert (await admin.put(f"/api/schedules/{name}", json=DAILY)).status_code == 422
        assert (await admin.get(f"/api/schedules/{name}")).status_code == 404
        for path in ("?tenant=%00", "?owner=%00", "/pulse?tenant=%00", "/pulse?tenant=" + "x" * 65):
            assert (await admin.get(f"/api/schedules{path}")).status_code == 422


ONE = (
    ("GET", ""),
    ("DELETE", ""),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/run"),
    ("GET", "/next"),
)


@pytest.mark.parametrize("stranger", [("bob", ""), ("ann", "acme"), ("ANN", "")])
async def test_another_users_schedule_is_not_there(site: Site, stranger: tuple[str, str]) -> None:
    """One of somebody else and one that does not exist give the same answer; a user's own tenant is his."""
    async with site.user("ann") as ann, site.user(*stranger) as other:
        await ann.post("/api/schedules", json=PULSE)
        for method, path in ONE:
            real = await other.request(method, f"/api/schedules/pulse{path}")
            none = await other.request(method, f"/api/schedules/none{path}")
            assert (real.status_code, real.text) == (404, none.text.replace("none", "pulse"))
        assert (await other.get("/api/schedules")).json()["schedules"] == []
        before = (await ann.get("/api/schedules/pulse")).json()
        code = (await other.put("/api/schedules/pulse", json=DAILY)).status_code
        assert code == (201 if stranger[1] else 409)
        assert (await ann.get("/api/schedules/pulse")).json()["every"] == before["every"] == 300


async def test_only_an_administrator_names_others(site: Site) -> None:
    """He makes schedules for anybody and sees all of them; a user who names somebody else is forbidden."""
    async with site.admin as admin, site.user("ann", "acme") as ann:
        made = await admin.post("/api/schedules", json={**PULSE, "tenant": "acme", "owner": "ann"})
        assert made.status_code == 201
        assert (await ann.get("/api/schedules/pulse")).status_code == 200
        assert (await admin.get("/api/schedules/pulse")).status_code == 404
        assert (await admin.post("/api/schedules/pulse/pause?tenant=acme")).json()["paused"]
        assert len((await admin.get("/api/schedules")).json()["schedules"]) == 1
        assert (await ann.post("/api/schedules", json={**PULSE, "owner": "bob"})).status_code == 403
        for path in ("/pulse?tenant=other", "?owner=bob", "?tenant="):
            assert (await ann.get(f"/api/schedules{path}")).status_code == 403


async def test_what_the_code_declares_can_be_paused_only(site: Site) -> None:
    """Replacing or removing it is a conflict that says where to change it."""
    site.app.declared.schedule("declared", 60, "echo")
    await site.app.schedules.sync(site.app.declared.schedules)
    async with site.admin as admin:
        for answer in (
            await admin.put("/api/schedules/declared", json=DAILY),
            await admin.delete("/api/schedules/declared"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "schedule_declared")
        assert (await admin.get("/api/schedules/declared")).json()["source"] == "tests"
        assert (await admin.post("/api/schedules/declared/pause")).json()["paused"]
