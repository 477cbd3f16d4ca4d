-- Keeps one part of an upload; the same bytes sent again change nothing.
INSERT INTO blob (sha256, part, parts, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;
