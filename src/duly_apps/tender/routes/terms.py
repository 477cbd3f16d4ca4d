"""What a form may say besides the document: retries, priority, where the answer goes."""

from typing import Annotated, Any

from fastapi import Depends, Form

Retries = Annotated[int, Form(ge=0, le=10, description="Retries after the first attempt.")]
Priority = Annotated[int, Form(ge=1, le=10, description="The larger the sooner.")]
CallbackUrl = Annotated[str | None, Form(description="Where the result is posted as a signed webhook.")]


async def terms(
    max_retries: Retries = 3, priority: Priority = 5, callback_url: CallbackUrl = None
) -> dict[str, Any]:
    """As `Caller.submit` takes them."""
    deliver = [{"channel": "webhook", "url": callback_url}] if callback_url else []
    return {"max_retries": max_retries, "priority": priority, "deliver": deliver}


Terms = Annotated[dict[str, Any], Depends(terms)]
