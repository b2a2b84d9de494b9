-- The catalogue. Times are milliseconds since the epoch, UTC; secrets are sealed (store/seal.rs); JSON is text.
-- Every table that belongs to a tenant leads with it, and so does every index on it.

CREATE TABLE tenants (
    name              TEXT PRIMARY KEY NOT NULL,
    push_domain       TEXT NOT NULL UNIQUE,
    play_domain       TEXT NOT NULL UNIQUE,
    push_auth         INTEGER NOT NULL DEFAULT 1,
    url_auth          INTEGER NOT NULL DEFAULT 0,
    auth_validity_s   INTEGER NOT NULL DEFAULT 1800,
    push_key          BLOB NOT NULL,
    play_key          BLOB NOT NULL,
    webhook_secret    BLOB NOT NULL,
    created_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE access_keys (
    id          TEXT PRIMARY KEY NOT NULL,
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    secret      BLOB NOT NULL,
    active      INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX access_keys_by_tenant ON access_keys (tenant);

-- Nonces of signed requests, kept for the clock-skew window.
CREATE TABLE nonces (
    access_key  TEXT NOT NULL,
    nonce       TEXT NOT NULL,
    seen_at     INTEGER NOT NULL,
    PRIMARY KEY (access_key, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_age ON nonces (seen_at);

CREATE TABLE record_configs (
    tenant            TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    domain            TEXT NOT NULL,               -- play domain
    app               TEXT NOT NULL,
    stream            TEXT NOT NULL,               -- '' is every stream of the app
    group_id          TEXT NOT NULL,
    cycle_s           INTEGER NOT NULL,
    delay_s           INTEGER NOT NULL,
    auto_compose      INTEGER NOT NULL DEFAULT 0,
    compose_group_id  TEXT,
    on_demand         INTEGER NOT NULL DEFAULT 0,
    extra             TEXT NOT NULL DEFAULT '{}',  -- vendor fields that are kept and given back
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (tenant, domain, app, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE template_groups (
    tenant       TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    is_default   INTEGER NOT NULL DEFAULT 0,
    locked       INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    modified_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE templates (
    tenant      TEXT NOT NULL,
    group_id    TEXT NOT NULL,
    id          TEXT NOT NULL,
    position    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    definition  TEXT NOT NULL,
    format      TEXT NOT NULL,
    settings    TEXT NOT NULL,                     -- JSON, the vendor's members
    PRIMARY KEY (tenant, group_id, id),
    FOREIGN KEY (tenant, group_id) REFERENCES template_groups (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE message_callbacks (
    tenant       TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    app_id       TEXT NOT NULL,
    url          TEXT NOT NULL,
    event_types  TEXT NOT NULL,                    -- '' none, 'ALL' all, else a comma list
    auth_switch  INTEGER NOT NULL DEFAULT 0,
    auth_key     BLOB,
    extra        TEXT NOT NULL DEFAULT '{}',
    modified_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, app_id)
) STRICT, WITHOUT ROWID;

-- The truth: one journal per broadcast. The primary key is the compare-and-set.
CREATE TABLE journal (
    broadcast  TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    record     TEXT NOT NULL,
    PRIMARY KEY (broadcast, seq)
) STRICT, WITHOUT ROWID;

-- Read models: written in the transaction of the records they come from.
CREATE TABLE broadcasts (
    id            TEXT PRIMARY KEY NOT NULL,
    tenant        TEXT NOT NULL,
    domain        TEXT NOT NULL,                   -- push domain
    app           TEXT NOT NULL,
    stream        TEXT NOT NULL,
    play_domain   TEXT NOT NULL,
    publishing    TEXT NOT NULL,                   -- live, broken, over
    settled       INTEGER NOT NULL DEFAULT 0,
    client        TEXT NOT NULL DEFAULT '',
    published_at  INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    parts         INTEGER NOT NULL DEFAULT 0,
    reconnects    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX broadcasts_by_tenant ON broadcasts (tenant, started_at);
CREATE INDEX broadcasts_unsettled ON broadcasts (settled) WHERE settled = 0;

CREATE TABLE videos (
    id            TEXT PRIMARY KEY NOT NULL,
    tenant        TEXT NOT NULL,
    broadcast     TEXT NOT NULL,
    part          INTEGER,                         -- NULL for a composed video
    domain        TEXT NOT NULL,                   -- push domain
    app           TEXT NOT NULL,
    stream        TEXT NOT NULL,
    play_domain   TEXT NOT NULL,
    title         TEXT NOT NULL,
    description   TEXT NOT NULL,
    status        TEXT NOT NULL,                   -- our words: uploading, stored, transcoding, ready, failed, produce_failed
    group_id      TEXT,
    record_start  INTEGER,
    record_end    INTEGER,
    facts         TEXT,                            -- JSON of PartFacts
    duration_ms   INTEGER NOT NULL DEFAULT 0,
    bytes         INTEGER NOT NULL DEFAULT 0,
    cover_file    TEXT,                            -- relative to the video's folder
    created_at    INTEGER NOT NULL,
    modified_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX videos_by_tenant ON videos (tenant, created_at);
CREATE INDEX videos_by_broadcast ON videos (broadcast);

CREATE TABLE tasks (
    id            TEXT PRIMARY KEY NOT NULL,
    tenant        TEXT NOT NULL,
    video         TEXT NOT NULL,
    group_id      TEXT NOT NULL,
    trigger_kind  TEXT NOT NULL,                   -- Auto, Manual
    status        TEXT NOT NULL,                   -- the vendor's task status
    created_at    INTEGER NOT NULL,
    completed_at  INTEGER
) STRICT;
CREATE INDEX tasks_by_video ON tasks (tenant, video, created_at);

CREATE TABLE jobs (
    id            TEXT PRIMARY KEY NOT NULL,
    tenant        TEXT NOT NULL,
    task          TEXT NOT NULL,
    video         TEXT NOT NULL,
    ordinal       INTEGER NOT NULL,
    template      TEXT NOT NULL,                   -- JSON of the frozen Template
    status        TEXT NOT NULL,                   -- the vendor's job status
    output        TEXT,                            -- JSON of OutputFacts
    error_code    TEXT,
    error         TEXT,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    completed_at  INTEGER
) STRICT;
CREATE INDEX jobs_by_task ON jobs (task, ordinal);
CREATE INDEX jobs_by_video ON jobs (tenant, video);

CREATE TABLE snapshots (
    job         TEXT PRIMARY KEY NOT NULL,
    tenant      TEXT NOT NULL,
    video       TEXT NOT NULL,
    kind        TEXT NOT NULL,                     -- CoverSnapshot and its siblings
    pattern     TEXT NOT NULL,
    count       INTEGER NOT NULL,
    cover       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshots_by_video ON snapshots (tenant, video, kind);

-- The outbox: what tenants are told, frozen when it happened.
CREATE TABLE events (
    id          TEXT PRIMARY KEY NOT NULL,
    tenant      TEXT NOT NULL,
    broadcast   TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    video       TEXT NOT NULL,
    kind        TEXT NOT NULL,                     -- the vendor's event type
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_tenant ON events (tenant, at);
CREATE INDEX events_by_video ON events (tenant, video);

CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    event        TEXT NOT NULL REFERENCES events (id),
    tenant       TEXT NOT NULL,
    app_id       TEXT NOT NULL,
    url          TEXT NOT NULL,
    phase        TEXT NOT NULL,                    -- shaping, then the delivery machine's own words
    state        TEXT NOT NULL,                    -- JSON of the delivery machine's state
    due_at       INTEGER,                          -- NULL when nothing is due any more
    body         BLOB NOT NULL,
    headers      TEXT NOT NULL DEFAULT '[]',       -- JSON list of pairs a policy added
    created_at   INTEGER NOT NULL,
    UNIQUE (event, url)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (tenant, url, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_due_at ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_shaping ON deliveries (id) WHERE phase = 'shaping';
CREATE INDEX deliveries_by_tenant ON deliveries (tenant, phase, id);

CREATE TABLE attempts (
    delivery    INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    outcome     TEXT NOT NULL,                     -- JSON
    elapsed_ms  INTEGER NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Why things came out as they did.
CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT NOT NULL,
    hook        TEXT NOT NULL,
    broadcast   TEXT,
    video       TEXT,
    event       TEXT,
    app         TEXT NOT NULL DEFAULT '',
    stream      TEXT NOT NULL DEFAULT '',
    plugin      TEXT,
    digest      TEXT,
    failure     TEXT,
    applied     TEXT NOT NULL,
    question    TEXT NOT NULL,                     -- JSON
    decision    TEXT NOT NULL,                     -- JSON
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX decisions_by_video ON decisions (tenant, video);
CREATE INDEX decisions_by_tenant ON decisions (tenant, id);
CREATE INDEX decisions_by_event ON decisions (event);

CREATE TABLE plugins (
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_versions (
    tenant      TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    version     INTEGER NOT NULL,
    digest      TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    interface   TEXT NOT NULL,
    hooks       TEXT NOT NULL,                     -- comma list
    settings    TEXT NOT NULL,                     -- JSON text given with this push
    revision    INTEGER NOT NULL,                  -- of the settings
    pushed_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, plugin, version),
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Which streams use which version. One binding per plugin; the newest activation wins where two match.
CREATE TABLE bindings (
    tenant          TEXT NOT NULL,
    plugin          TEXT NOT NULL,
    version         INTEGER NOT NULL,
    app             TEXT NOT NULL DEFAULT '*',
    stream          TEXT NOT NULL DEFAULT '*',
    failure_policy  TEXT NOT NULL DEFAULT 'fallback',
    activated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, plugin),
    FOREIGN KEY (tenant, plugin, version) REFERENCES plugin_versions (tenant, plugin, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
