-- When somebody really proved who they are, which a provider outside may have had them do long before the session began.
-- Absent: nobody can tell, so that it counts as long ago.

ALTER TABLE sessions ADD COLUMN signed_in_at BIGINT;
