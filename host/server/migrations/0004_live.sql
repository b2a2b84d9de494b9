-- The Live side: who published when, who may not, and what is told about streams and recordings beside the events.

-- Streams that may not be pushed until a time.
CREATE TABLE live_bans (
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    domain      TEXT NOT NULL,                     -- push domain
    app         TEXT NOT NULL,
    stream      TEXT NOT NULL,
    until       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, domain, app, stream)
) STRICT, WITHOUT ROWID;

-- One row for each accepted publish, recorded or not.
CREATE TABLE live_publishes (
    id            TEXT PRIMARY KEY NOT NULL,
    tenant        TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    domain        TEXT NOT NULL,                   -- push domain
    play_domain   TEXT NOT NULL,
    app           TEXT NOT NULL,
    stream        TEXT NOT NULL,
    client        TEXT NOT NULL,
    arguments     TEXT NOT NULL,                   -- of the push URL, form-encoded, without the signature
    announced     INTEGER NOT NULL DEFAULT 0,      -- whether the receiver of stream notices was told
    published_at  INTEGER NOT NULL,
    stopped_at    INTEGER
) STRICT;
CREATE INDEX live_publishes_by_tenant ON live_publishes (tenant, published_at);
CREATE INDEX live_publishes_by_age ON live_publishes (published_at);
CREATE INDEX live_publishes_open ON live_publishes (id) WHERE stopped_at IS NULL;

-- Where notices go. The key is the push domain for streams and the play domain for recordings.
CREATE TABLE live_stream_notify (
    tenant         TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    domain         TEXT NOT NULL,
    url            TEXT NOT NULL,
    exception_url  TEXT NOT NULL,
    switch_url     TEXT NOT NULL,
    auth           INTEGER NOT NULL,
    auth_key       BLOB,
    PRIMARY KEY (tenant, domain)
) STRICT, WITHOUT ROWID;

CREATE TABLE live_record_notify (
    tenant         TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    domain         TEXT NOT NULL,
    url            TEXT NOT NULL,
    on_demand_url  TEXT NOT NULL,
    status         INTEGER NOT NULL,               -- whether status notices are wanted too
    auth           INTEGER NOT NULL,
    auth_key       BLOB,
    PRIMARY KEY (tenant, domain)
) STRICT, WITHOUT ROWID;

CREATE TABLE live_detect_notify (
    tenant  TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    domain  TEXT NOT NULL,
    url     TEXT NOT NULL,
    PRIMARY KEY (tenant, domain)
) STRICT, WITHOUT ROWID;

-- Notices on their way and those that were sent in the last days.
CREATE TABLE live_notices (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    side        TEXT NOT NULL,                     -- stream, record
    domain      TEXT NOT NULL,                     -- push domain for streams, play domain for recordings
    app         TEXT NOT NULL,
    stream      TEXT NOT NULL,
    kind        TEXT NOT NULL,                     -- the vendor's notice type
    url         TEXT NOT NULL,
    content     TEXT NOT NULL,                     -- the query for streams, the body for recordings
    created_at  INTEGER NOT NULL,
    due_at      INTEGER,                           -- NULL when nothing is due any more
    attempts    INTEGER NOT NULL DEFAULT 0,
    delivered   INTEGER NOT NULL DEFAULT 0,
    tried_at    INTEGER,
    headers     TEXT NOT NULL DEFAULT '',
    response    TEXT NOT NULL DEFAULT '',
    detail      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX live_notices_due ON live_notices (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX live_notices_pending ON live_notices (tenant, side, domain, app, stream, id) WHERE due_at IS NOT NULL;
CREATE INDEX live_notices_by_tenant ON live_notices (tenant, side, tried_at);
CREATE INDEX live_notices_by_age ON live_notices (created_at);
