-- Analyses of videos: what was asked for and what came of it. They go with their video.
CREATE TABLE analyses (
    job           TEXT PRIMARY KEY NOT NULL,
    tenant        TEXT NOT NULL,
    video         TEXT NOT NULL REFERENCES videos (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,                   -- facts, fingerprint
    result        TEXT,                            -- JSON of the result; NULL until there is one
    created_at    INTEGER NOT NULL,
    completed_at  INTEGER
) STRICT;
CREATE INDEX analyses_by_video ON analyses (tenant, video, kind, created_at);

-- The library that fingerprints are compared with. What a tenant takes out of it stays as a row, so that no later record
-- of its video puts it back.
CREATE TABLE fingerprints (
    job         TEXT PRIMARY KEY NOT NULL REFERENCES analyses (job) ON DELETE CASCADE,
    tenant      TEXT NOT NULL,
    video       TEXT NOT NULL,
    file        TEXT,                              -- relative to the video's folder; NULL once it is removed
    forgotten   INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX fingerprints_by_tenant ON fingerprints (tenant, created_at) WHERE NOT forgotten;
CREATE INDEX fingerprints_forgotten ON fingerprints (job) WHERE forgotten AND file IS NOT NULL;
