-- One API key by its id: what a call with it is checked against.
SELECT id, secret_hash, old_hash, old_until, role, scopes, tenant, owner, expires_at, used_at, revoked_at
FROM api_key WHERE id = :id;
