"""The words of a batch: a task of a built-in type whose children are its members (decision 0028)."""

from __future__ import annotations

#: The task type that every worker knows. Its input: {"tasks": [{"task_type", "input", …}], "policy"?}.
BATCH = "duly.batch"
MOST_MEMBERS = 10_000
#: How a batch takes a member that failed: it counts it, or it fails and cancels the others.
POLICIES = ("collect", "fail_fast")
#: The key of a batch's metadata under which its size stands.
MEMBERS = "members"
#: What a member may say besides its type and input, and of which JSON type it is. A deadline is the batch's.
MEMBER_OPTIONS: dict[str, tuple[type, ...]] = {
    "queue": (str,),
    "priority": (int,),
    "due": (str, int, float),
    "timeout": (int, float),
    "result_ttl": (int, float),
    "max_retries": (int,),
    "tags": (list,),
    "metadata": (dict,),
    "deliver": (list,),
}
