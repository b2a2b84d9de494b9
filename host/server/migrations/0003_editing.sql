-- Online editing: projects with their timelines, what they are made of, and the tenants' images.

CREATE TABLE editing_projects (
    tenant       TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    title        TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    cover_url    TEXT NOT NULL DEFAULT '',
    division     TEXT NOT NULL DEFAULT '',
    timeline     TEXT NOT NULL DEFAULT '',         -- as the editor sent it; '' is empty
    duration_ms  INTEGER NOT NULL DEFAULT 0,       -- of the timeline, as far as its materials were known
    created_at   INTEGER NOT NULL,
    modified_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX editing_projects_by_time ON editing_projects (tenant, created_at);
-- How far a project is, is said by the newest video made of it.
CREATE INDEX videos_by_project ON videos (tenant, project, created_at) WHERE project IS NOT NULL;

CREATE TABLE editing_materials (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    material  TEXT NOT NULL,                       -- a video's or an image's id
    position  INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, material),
    FOREIGN KEY (tenant, project) REFERENCES editing_projects (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE images (
    tenant      TEXT NOT NULL REFERENCES tenants (name) ON DELETE CASCADE,
    id          TEXT NOT NULL,
    format      TEXT NOT NULL,                     -- png, jpg
    width       INTEGER NOT NULL,
    height      INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX images_by_time ON images (tenant, created_at);
