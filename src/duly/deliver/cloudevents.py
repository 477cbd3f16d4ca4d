"""A delivery's body as a CloudEvent 1.0 in structured mode (`application/cloudevents+json`).

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. It is made from
the body that was fixed before the first send, so all sends of a delivery have the same bytes.
"""

from __future__ import annotations

import json

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
#: What the source is when no `public_url` says where we are.
SOURCE = "urn:duly"
_TYPE = "org.duly.{}.v1"


def cloud_event(id_: str, body: str, source: str) -> str:
    """The event of this id, from a Standard Webhooks body; `source` and id together are unique.

    Args:
        id_: the delivery's, which `webhook-id` has too.
        body: {type, timestamp, data}.
        source: a URI reference, of this installation.
    """
    told = json.loads(body)
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": source or SOURCE,
        "type": _TYPE.format(told["type"]),
        "time": told["timestamp"],
        "datacontenttype": "application/json",
    }
    subject = told["data"].get("id")
    if subject:
        event["subject"] = subject
    return json.dumps({**event, "data": told["data"]}, ensure_ascii=False, separators=(",", ":"))
