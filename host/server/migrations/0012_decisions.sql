-- The decision log is searched, followed and cleared. What it is searched by stands before the long texts, which lie on
-- pages of their own: a search that looks at many rows reads none of those.

CREATE TABLE decisions_wide (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant             TEXT NOT NULL,
    hook               TEXT NOT NULL,
    broadcast          TEXT,
    video              TEXT,
    event              TEXT,
    domain             TEXT NOT NULL DEFAULT '',   -- ingest domain
    app                TEXT NOT NULL DEFAULT '',
    stream             TEXT NOT NULL DEFAULT '',
    plugin             TEXT,
    version            INTEGER,
    digest             TEXT,
    settings_revision  INTEGER,
    rollout            INTEGER,                    -- whose candidate answered
    failure            TEXT,
    applied            TEXT NOT NULL,
    fuel               INTEGER,
    elapsed_us         INTEGER,
    state_revision     INTEGER,                    -- of the plugin's state that the call saw
    at                 INTEGER NOT NULL,
    question           TEXT NOT NULL,              -- JSON
    decision           TEXT NOT NULL               -- JSON
) STRICT;
INSERT INTO decisions_wide (id, tenant, hook, broadcast, video, event, domain, app, stream, plugin, version, digest,
        settings_revision, rollout, failure, applied, fuel, elapsed_us, state_revision, at, question, decision)
    SELECT d.id, d.tenant, d.hook, d.broadcast, d.video, d.event, coalesce(b.domain, ''), d.app, d.stream, d.plugin,
        d.decision ->> '$.provenance.version', d.digest, d.decision ->> '$.provenance.settings_revision',
        d.decision ->> '$.provenance.rollout', d.failure, d.applied, d.decision ->> '$.provenance.fuel',
        d.decision ->> '$.provenance.elapsed_us', d.decision ->> '$.provenance.state_revision', d.at, d.question, d.decision
    FROM decisions d LEFT JOIN broadcasts b ON b.id = d.broadcast ORDER BY d.id;
DROP TABLE decisions;
ALTER TABLE decisions_wide RENAME TO decisions;

-- Each ends with the number by itself: pages come out in order, from wherever the one before ended.
CREATE INDEX decisions_by_tenant ON decisions (tenant, id);
CREATE INDEX decisions_by_time ON decisions (tenant, at);
CREATE INDEX decisions_by_broadcast ON decisions (tenant, broadcast);
CREATE INDEX decisions_by_stream ON decisions (tenant, stream);
CREATE INDEX decisions_by_plugin ON decisions (tenant, plugin);
CREATE INDEX decisions_by_video ON decisions (tenant, video) WHERE video IS NOT NULL;
CREATE INDEX decisions_by_event ON decisions (tenant, event) WHERE event IS NOT NULL;
CREATE INDEX decisions_by_rollout ON decisions (tenant, rollout) WHERE rollout IS NOT NULL;
CREATE INDEX decisions_failed ON decisions (tenant, id) WHERE failure IS NOT NULL;
-- The oldest state that a kept decision saw.
CREATE INDEX decisions_by_state ON decisions (tenant, plugin, state_revision) WHERE state_revision IS NOT NULL;
