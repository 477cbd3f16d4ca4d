-- The quotas: how many tasks may wait to start.
SELECT name, most FROM limits
WHERE most IS NOT NULL AND
  (name > 'owner/' AND name < 'owner0' OR name > 'queue/' AND name < 'queue0' OR name > 'tenant/' AND name < 'tenant0');
