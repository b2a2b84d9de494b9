-- Uploaded components and who may name them. The files are shared by digest; that another tenant uploaded one too is told
-- to nobody, so each tenant has rows of its own.
CREATE TABLE components (
    tenant       TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    digest       TEXT NOT NULL,                    -- SHA-256, lower-case hex; the file's name
    bytes        INTEGER NOT NULL,
    uploaded_at  INTEGER NOT NULL,                 -- the newest time
    uploaded_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX components_by_digest ON components (digest);
INSERT INTO components (tenant, digest, bytes, uploaded_at, uploaded_by)
    SELECT tenant, digest, max(bytes), max(pushed_at), min(pushed_by) FROM plugin_versions GROUP BY tenant, digest;

-- Uploads and pushes of the last hour, refused ones too: each may cost a compile.
CREATE TABLE component_uploads (
    tenant  TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX component_uploads_by_tenant ON component_uploads (tenant, at);

-- What a deleted plugin counted to: one of its name goes on from there, because decisions name versions, settings and
-- state by these numbers.
CREATE TABLE deleted_plugins (
    tenant             TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    name               TEXT NOT NULL,
    last_version       INTEGER NOT NULL,
    settings_revision  INTEGER NOT NULL,
    state_revision     INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- A revoked key stays: versions name it, and neither its name nor the key itself may come back.
ALTER TABLE signing_keys ADD COLUMN revoked_at INTEGER;
ALTER TABLE signing_keys ADD COLUMN revoked_by TEXT;
CREATE UNIQUE INDEX signing_keys_by_key ON signing_keys (tenant, public_key);
