-- Timelines apart from what is listed of their projects: half a mebibyte each must not be read to show a title.

CREATE TABLE editing_timelines (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    timeline  TEXT NOT NULL,                       -- as the editor sent it; one that is empty has no row
    PRIMARY KEY (tenant, project),
    FOREIGN KEY (tenant, project) REFERENCES editing_projects (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO editing_timelines SELECT tenant, id, timeline FROM editing_projects WHERE timeline <> '';
ALTER TABLE editing_projects DROP COLUMN timeline;
