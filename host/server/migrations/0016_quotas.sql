-- What the operator lets one tenant have of plugins, in place of what is configured for all.
CREATE TABLE tenant_quotas (
    tenant      TEXT PRIMARY KEY NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    quotas      TEXT NOT NULL,                     -- JSON
    set_at      INTEGER NOT NULL,
    set_by      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
