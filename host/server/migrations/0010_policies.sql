-- Plugins in the hands of tenants and operators: provenance, settings by revision, several bindings, state, rollouts,
-- backtests, signatures, limits, and a log of every change.

-- A number is never given twice, even when its version was deleted.
ALTER TABLE plugins ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plugins ADD COLUMN state_revision INTEGER NOT NULL DEFAULT 0;
UPDATE plugins SET last_version =
    (SELECT coalesce(max(version), 0) FROM plugin_versions v WHERE v.tenant = plugins.tenant AND v.plugin = plugins.name);

ALTER TABLE plugin_versions ADD COLUMN class TEXT NOT NULL DEFAULT 'standard';   -- or 'scripted'
ALTER TABLE plugin_versions ADD COLUMN uses TEXT NOT NULL DEFAULT '';            -- comma list of state, assets, wasi
ALTER TABLE plugin_versions ADD COLUMN schema TEXT;                              -- JSON Schema of its settings
ALTER TABLE plugin_versions ADD COLUMN pushed_by TEXT NOT NULL DEFAULT 'admin';
ALTER TABLE plugin_versions ADD COLUMN signed_by TEXT;                           -- name of the signing key
ALTER TABLE plugin_versions ADD COLUMN signature TEXT;                           -- base64 of the ed25519 signature
CREATE INDEX plugin_versions_by_digest ON plugin_versions (digest);

-- Settings never change; a change is a new revision.
CREATE TABLE plugin_settings (
    tenant      TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    settings    TEXT NOT NULL,                     -- JSON text
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, plugin, revision),
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO plugin_settings (tenant, plugin, revision, settings, created_at, created_by)
    SELECT tenant, plugin, revision, settings, min(pushed_at), 'admin' FROM plugin_versions GROUP BY tenant, plugin, revision;

-- Which streams use which version with which settings. A plugin may have several, by name.
ALTER TABLE bindings RENAME TO bindings_before;
CREATE TABLE bindings (
    tenant            TEXT NOT NULL,
    plugin            TEXT NOT NULL,
    name              TEXT NOT NULL DEFAULT 'default',
    version           INTEGER NOT NULL,
    settings_revision INTEGER NOT NULL,
    domain            TEXT NOT NULL DEFAULT '*',
    app               TEXT NOT NULL DEFAULT '*',
    stream            TEXT NOT NULL DEFAULT '*',
    priority          INTEGER NOT NULL DEFAULT 0,  -- the larger is asked first
    failure_policy    TEXT NOT NULL DEFAULT 'fallback',
    activated_at      INTEGER NOT NULL,
    activated_by      TEXT NOT NULL,
    PRIMARY KEY (tenant, plugin, name),
    -- A version that streams use cannot be deleted. Deferred, so that deleting a tenant deletes both.
    FOREIGN KEY (tenant, plugin, version) REFERENCES plugin_versions (tenant, plugin, version) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO bindings (tenant, plugin, name, version, settings_revision, app, stream, failure_policy, activated_at, activated_by)
    SELECT b.tenant, b.plugin, 'default', b.version, v.revision, b.app, b.stream, b.failure_policy, b.activated_at, 'admin'
    FROM bindings_before b JOIN plugin_versions v
    ON v.tenant = b.tenant AND v.plugin = b.plugin AND v.version = b.version;
DROP TABLE bindings_before;

-- What each binding was, newest last: what a roll-back goes back to.
CREATE TABLE binding_history (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant            TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    plugin            TEXT NOT NULL,
    name              TEXT NOT NULL,
    version           INTEGER NOT NULL,
    settings_revision INTEGER NOT NULL,
    at                INTEGER NOT NULL,
    actor             TEXT NOT NULL
) STRICT;
CREATE INDEX binding_history_by_binding ON binding_history (tenant, plugin, name, id);
INSERT INTO binding_history (tenant, plugin, name, version, settings_revision, at, actor)
    SELECT tenant, plugin, name, version, settings_revision, activated_at, activated_by FROM bindings;

-- A plugin's own memory, with its past: a snapshot of any revision can be had, so that old questions can be put again.
CREATE TABLE plugin_state (
    tenant      TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    key         TEXT NOT NULL,
    revision    INTEGER NOT NULL,                  -- of the whole state, counted by decision
    value       TEXT,                              -- NULL: the key went
    at          INTEGER NOT NULL,
    PRIMARY KEY (tenant, plugin, key, revision),
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A candidate version beside the active one.
CREATE TABLE rollouts (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant            TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    plugin            TEXT NOT NULL,
    binding           TEXT NOT NULL,
    kind              TEXT NOT NULL,               -- 'shadow' or 'canary'
    fleet             TEXT,                        -- one id for what was started for several tenants at once
    version           INTEGER NOT NULL,
    settings_revision INTEGER NOT NULL,
    share_permille    INTEGER NOT NULL,            -- of streams, by a stable hash; a shadow has 1000
    app               TEXT NOT NULL DEFAULT '*',
    stream            TEXT NOT NULL DEFAULT '*',
    rules             TEXT NOT NULL,               -- JSON: windows and bounds of the automatic roll-back
    state             TEXT NOT NULL,               -- running, promoted, rolled_back, stopped
    reason            TEXT,
    cursor            INTEGER NOT NULL,            -- the newest decision that was compared
    report            TEXT NOT NULL,               -- JSON: counts so far
    started_at        INTEGER NOT NULL,
    started_by        TEXT NOT NULL,
    ended_at          INTEGER
) STRICT;
CREATE UNIQUE INDEX rollouts_running ON rollouts (tenant, plugin, binding, kind) WHERE state = 'running';
CREATE INDEX rollouts_by_tenant ON rollouts (tenant, id);
CREATE TABLE rollout_differences (
    rollout     INTEGER NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    decision    INTEGER NOT NULL,
    difference  TEXT NOT NULL,                     -- JSON: the active version's verdict and the candidate's
    PRIMARY KEY (rollout, decision)
) STRICT, WITHOUT ROWID;

-- Recorded questions put to a version again.
CREATE TABLE backtests (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant            TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    kind              TEXT NOT NULL,               -- 'backtest': to a candidate; 'audit': each to its own version
    plugin            TEXT NOT NULL,
    version           INTEGER,                     -- NULL: an audit
    settings_revision INTEGER,
    filter            TEXT NOT NULL,               -- JSON: period, hook, stream, first and last decision
    state             TEXT NOT NULL,               -- running, done, failed, stopped
    reason            TEXT,
    report            TEXT NOT NULL,               -- JSON: counts
    started_at        INTEGER NOT NULL,
    started_by        TEXT NOT NULL,
    ended_at          INTEGER
) STRICT;
CREATE INDEX backtests_by_tenant ON backtests (tenant, id);
CREATE TABLE backtest_differences (
    backtest    INTEGER NOT NULL REFERENCES backtests (id) ON DELETE CASCADE,
    decision    INTEGER NOT NULL,
    difference  TEXT NOT NULL,                     -- JSON
    PRIMARY KEY (backtest, decision)
) STRICT, WITHOUT ROWID;

-- Who may sign a tenant's plugins.
CREATE TABLE signing_keys (
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    public_key  TEXT NOT NULL,                     -- base64 of the 32 bytes
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
ALTER TABLE tenants ADD COLUMN require_signature INTEGER NOT NULL DEFAULT 0;

-- Limits that the operator sets for a tenant ('' as plugin) or for one of its plugins.
CREATE TABLE policy_limits (
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    plugin      TEXT NOT NULL DEFAULT '',
    limits      TEXT NOT NULL,                     -- JSON
    set_at      INTEGER NOT NULL,
    set_by      TEXT NOT NULL,
    PRIMARY KEY (tenant, plugin)
) STRICT, WITHOUT ROWID;

-- Every change of what decides, and who made it. It outlives what it is about, its tenant too.
CREATE TABLE changes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,                     -- 'admin', 'key:ACCESS_KEY_ID' or 'reprise'
    action      TEXT NOT NULL,                     -- 'push', 'activate', …
    plugin      TEXT,
    detail      TEXT NOT NULL                      -- JSON
) STRICT;
CREATE INDEX changes_by_tenant ON changes (tenant, id);

-- The decision log is searched by stream and plugin, followed by number and cleared by age.
CREATE INDEX decisions_by_stream ON decisions (tenant, stream, id);
CREATE INDEX decisions_by_plugin ON decisions (tenant, plugin, id);
CREATE INDEX decisions_by_age ON decisions (at);
