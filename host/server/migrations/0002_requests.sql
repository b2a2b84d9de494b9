-- What tenants ask for by hand, and what they say of their videos.

ALTER TABLE videos ADD COLUMN source TEXT NOT NULL DEFAULT 'part';       -- part, compose, edit
ALTER TABLE videos ADD COLUMN project TEXT;                              -- the editing project of an edited video
ALTER TABLE videos ADD COLUMN playable INTEGER NOT NULL DEFAULT 0;       -- whether the source plays
ALTER TABLE videos ADD COLUMN source_deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE videos ADD COLUMN retain_until INTEGER;                      -- removed then; NULL keeps it
ALTER TABLE videos ADD COLUMN analysis TEXT;                             -- JSON of MediaFacts
ALTER TABLE videos ADD COLUMN tags TEXT NOT NULL DEFAULT '';             -- comma list
ALTER TABLE videos ADD COLUMN cate_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE videos ADD COLUMN cover_url TEXT;                            -- one the tenant named
ALTER TABLE videos ADD COLUMN user_data TEXT;
CREATE INDEX videos_by_retention ON videos (retain_until) WHERE retain_until IS NOT NULL;

ALTER TABLE tasks ADD COLUMN priority INTEGER NOT NULL DEFAULT 6;

-- One job can take several kinds of pictures.
CREATE TABLE series (
    job         TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    video       TEXT NOT NULL,
    kind        TEXT NOT NULL,                     -- CoverSnapshot and its siblings
    pattern     TEXT NOT NULL,
    count       INTEGER NOT NULL,
    cover       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (job, kind)
) STRICT;
INSERT INTO series SELECT job, tenant, video, kind, pattern, count, cover, created_at FROM snapshots;
DROP TABLE snapshots;
ALTER TABLE series RENAME TO snapshots;
CREATE INDEX snapshots_by_video ON snapshots (tenant, video, kind);
