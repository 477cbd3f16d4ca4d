-- Fixes a delivery's body before the first send, so that every send has the same bytes.
UPDATE delivery SET body = coalesce(body, :body) WHERE id = :id AND attempt = :attempt AND status = 'sending';
SELECT body FROM delivery WHERE id = :id AND attempt = :attempt AND status = 'sending';
