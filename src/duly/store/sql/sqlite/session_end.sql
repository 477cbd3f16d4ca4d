-- Ends sessions first, so that neither a claim nor a renewal of theirs can succeed from here on.
UPDATE worker SET ended_at = :now
WHERE ended_at IS NULL AND id IN (SELECT value FROM json_each(:batch)) RETURNING id;
