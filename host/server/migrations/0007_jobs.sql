-- What a tenant called its requests for work, so that one that is sent twice is done once.
CREATE TABLE sessions (
    tenant   TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    session  TEXT NOT NULL,
    task     TEXT NOT NULL,                        -- what it asked for
    kept     INTEGER NOT NULL DEFAULT 0,           -- whether that was recorded
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_age ON sessions (at);
