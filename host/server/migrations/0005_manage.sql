-- What the vendor's record config cannot say, and templates of pictures.

ALTER TABLE record_configs ADD COLUMN retention_days INTEGER NOT NULL DEFAULT 0;  -- 0 keeps for ever
ALTER TABLE record_configs ADD COLUMN gaps TEXT NOT NULL DEFAULT 'cut';           -- cut, hold, slate
ALTER TABLE record_configs ADD COLUMN analyse INTEGER NOT NULL DEFAULT 0;

CREATE TABLE picture_templates (
    tenant       TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    config       TEXT NOT NULL,                     -- JSON, the vendor's members
    created_at   INTEGER NOT NULL,
    modified_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
