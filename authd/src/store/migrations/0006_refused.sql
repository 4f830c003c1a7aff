-- Whom a provider no longer lets in: until it does again, nothing opens through it, also no API key.
-- Absent: it does.
ALTER TABLE identities ADD COLUMN refused_at BIGINT;
-- Until when whoever asks the provider about the person now has them for itself.
ALTER TABLE identities ADD COLUMN leased_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX identities_by_update ON identities (provider, updated_at);
