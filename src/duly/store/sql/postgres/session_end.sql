-- Ends sessions first, so that neither a claim nor a renewal of theirs can succeed from here on.
UPDATE worker SET ended_at = :now
WHERE id = ANY(ARRAY(SELECT id FROM worker WHERE ended_at IS NULL
  AND id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb))) ORDER BY id FOR UPDATE)) RETURNING id;
