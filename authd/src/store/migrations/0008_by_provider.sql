-- All sessions that began through one provider end together.
CREATE INDEX sessions_by_provider ON sessions (provider, id);
