"""/api/batches: many tasks accepted or refused as one, counted, and answered once."""

from __future__ import annotations

from typing import Any

from site_under_test import Site

from duly.model.batch import BATCH
from duly.store import children
from support.families import spawning


def echoes(count: int) -> dict[str, Any]:
    """A batch of so many."""
    return {"tasks": [{"task_type": "echo", "input": {"n": n}} for n in range(count)]}


async def test_a_batch_is_acknowledged_as_a_task_is(site: Site) -> None:
    """202 with the address of its task; the caller owns it, and its counters stand there from the start."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/batches", json={**echoes(3), "tags": ["nightly"], "priority": 7})
        looked = await ann.get(f"/api/batches/{answer.json()['id']}")
        task = await ann.get(answer.headers["location"])
    assert answer.status_code == 202
    assert looked.json() == task.json()
    said = task.json()
    assert (said["task_type"], said["owner"], said["tags"], said["priority"]) == (
        BATCH,
        "ann",
        ["nightly"],
        7,
    )
    assert said["metadata"]["members"] == 3
    assert (said["batch"]["total"], said["batch"]["pending"], said["progress"]) == (3, 0, 0)


async def test_the_counters_are_those_of_the_children(site: Site) -> None:
    """Every status is there, zeros too; an ordinary task has no counters."""
    async with site.user("ann") as ann:
        batch = (await ann.post("/api/batches", json=echoes(3))).json()
        [claimed] = await site.claim()
        item = spawning(claimed, owner="ann", task_type="echo")
        assert await site.app.database.write(children.spawn, item)
        said = (await ann.get(f"/api/batches/{batch['id']}")).json()
        child = (await ann.get(f"/api/tasks/{item.children[0].id}")).json()
    assert said["batch"].pop("total") == 3
    assert said["batch"].pop("pending") == 1
    assert len(said["batch"]) == 8
    assert set(said["batch"].values()) == {0}
    assert "batch" not in child


async def test_bad_members_refuse_the_batch_and_are_all_named(site: Site) -> None:
    """A problem that points at each of them; nothing is accepted."""
    body = echoes(9)
    body["tasks"][2]["task_type"] = "nobody.knows"
    body["tasks"][5] = {"task_type": "picky", "input": {"wrong": 1}}
    body["tasks"][8]["owner"] = "bo"
    async with site.user("ann") as ann:
        answer = await ann.post("/api/batches", json=body, headers={"Accept-Language": "zh"})
        stats = (await ann.get("/api/tasks/stats")).json()["stats"]
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["title"]) == (422, "invalid_input", "输入无效")
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["pointer"] for one in problem["errors"]] == ["#/tasks/2", "#/tasks/5", "#/tasks/8"]
    assert problem["detail"].startswith("9 个任务中有 3 个无法接受：tasks/2")
    assert not any(stats.values())


async def test_what_is_no_batch_is_a_problem(site: Site) -> None:
    """Wrong shapes, unknown words, too many, somebody else's name."""
    bodies: list[Any] = [
        {},
        {"tasks": None},
        {"tasks": []},
        {"tasks": 5},
        {"tasks": [5]},
        {"tasks": [{"task_type": 5}]},
        {"tasks": [[[]]]},
        {**echoes(1), "policy": "whatever"},
        {**echoes(1), "input": {}},
        {**echoes(1), "metadata": 5},
        {**echoes(1), "priority": 11},
        {"tasks": [{"task_type": "other"}] * 10_001},
    ]
    async with site.user("ann") as ann:
        answers = [await ann.post("/api/batches", json=body) for body in bodies]
        other = await ann.post("/api/batches", json={**echoes(1), "owner": "bo"})
    assert [answer.status_code for answer in answers] == [422] * len(bodies)
    assert other.status_code == 403


async def test_a_batch_sent_again_with_its_key_is_the_same(site: Site) -> None:
    """And another body under the key is refused."""
    headers = {"Idempotency-Key": "nightly-1"}
    async with site.user("ann") as ann:
        first = await ann.post("/api/batches", json=echoes(2), headers=headers)
        again = await ann.post("/api/batches", json=echoes(2), headers=headers)
        other = await ann.post("/api/batches", json=echoes(3), headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def test_only_a_batch_of_ones_own_is_found(site: Site) -> None:
    """A task that is no batch, and another user's batch, are not there."""
    async with site.user("ann") as ann, site.user("bo") as bo:
        task = (await site.submitted(ann))["id"]
        batch = (await ann.post("/api/batches", json=echoes(1))).json()["id"]
        answers = [
            await ann.get(f"/api/batches/{task}"),
            await bo.get(f"/api/batches/{batch}"),
            await ann.get("/api/batches/x"),
        ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "task_not_found")] * 3
