"""Parents and children over HTTP."""

from __future__ import annotations

from site_under_test import Site

from duly.store import children
from support.families import spawning


async def test_a_child_names_its_parent_and_is_listed_by_it(site: Site) -> None:
    """`parent_id` in the task's shape, `parent` in lists and counts; another user's family is not shown."""
    async with site.user("ann") as ann, site.user("bo") as bo:
        parent = (await site.submitted(ann))["id"]
        [claimed] = await site.claim()
        item = spawning(claimed, owner="ann", task_type="echo")
        assert await site.app.database.write(children.spawn, item)
        listed = (await ann.get(f"/api/tasks?parent={parent}")).json()["tasks"]
        counted = (await ann.get(f"/api/tasks/stats?parent={parent}")).json()["stats"]
        other = (await bo.get(f"/api/tasks?parent={parent}")).json()["tasks"]
        child = (await ann.get(f"/api/tasks/{item.children[0].id}")).json()
        own = (await ann.get(f"/api/tasks/{parent}")).json()
    assert [one["id"] for one in listed] == [item.children[0].id]
    assert (counted["pending"], other) == (1, [])
    assert (child["parent_id"], own["parent_id"]) == (parent, None)


async def test_why_tells_of_the_family(site: Site) -> None:
    """A parent's children are counted; a child names its parent."""
    async with site.user("ann") as ann:
        parent = (await site.submitted(ann))["id"]
        [claimed] = await site.claim()
        item = spawning(claimed, owner="ann", task_type="echo")
        await site.app.database.write(children.spawn, item)
        codes = []
        for id_ in (parent, item.children[0].id):
            said = (await ann.get(f"/api/tasks/{id_}/why", headers={"Accept-Language": "zh"})).json()
            codes.append({one["code"] for one in said["reasons"]})
    assert "family" in codes[0]
    assert "child_of" in codes[1]
