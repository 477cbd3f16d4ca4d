-- One browser session that holds: not ended, not over, and its API key neither.
SELECT s.id, s.role, s.scopes, s.tenant, s.owner, s.expires_at, s.api_key_id
FROM web_session s LEFT JOIN api_key k ON k.id = s.api_key_id
WHERE s.id = :id AND s.ended_at IS NULL AND s.expires_at > :at
  AND (s.api_key_id IS NULL OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :at)));
