-- A plugin's state is read for every call, its past only when an old question is put again. So what there is now has a
-- table of its own, in which a key that went leaves nothing, and the past lies in order of revisions. At every 64th
-- revision the past has all that there is once more: what was written since then makes the state of any revision.

CREATE TABLE plugin_state_history (
    -- Not of a plugin or a tenant: there can be millions of rows, and they go after them, batch by batch.
    tenant      TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    revision    INTEGER NOT NULL,                  -- of the whole state, counted by decision
    key         TEXT NOT NULL,
    value       TEXT,                              -- NULL: the key went
    at          INTEGER NOT NULL,
    PRIMARY KEY (tenant, plugin, revision, key)
) STRICT, WITHOUT ROWID;
INSERT INTO plugin_state_history (tenant, plugin, revision, key, value, at)
    SELECT tenant, plugin, revision, key, value, at FROM plugin_state;
-- Each value once more at every 64th revision that it lived to see, from the one on from which the oldest state that a
-- recorded decision saw is made: nobody can ask for those before.
WITH RECURSIVE
    lives (tenant, plugin, key, value, at, since, until) AS (
        SELECT s.tenant, s.plugin, s.key, s.value, s.at,
            max(s.revision, coalesce(
                (SELECT min(d.state_revision) FROM decisions d
                    WHERE d.tenant = s.tenant AND d.plugin = s.plugin AND d.state_revision IS NOT NULL),
                p.state_revision) / 64 * 64 - 1),
            coalesce(lead(s.revision) OVER (PARTITION BY s.tenant, s.plugin, s.key ORDER BY s.revision), p.state_revision + 1)
        FROM plugin_state s JOIN plugins p ON p.tenant = s.tenant AND p.name = s.plugin),
    again (tenant, plugin, key, value, at, revision, until) AS (
        SELECT tenant, plugin, key, value, at, (since / 64 + 1) * 64, until FROM lives WHERE value IS NOT NULL
        UNION ALL
        SELECT tenant, plugin, key, value, at, revision + 64, until FROM again WHERE revision + 64 < until)
INSERT INTO plugin_state_history (tenant, plugin, revision, key, value, at)
    SELECT tenant, plugin, revision, key, value, at FROM again WHERE revision < until;

CREATE TABLE plugin_state_now (
    tenant      TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (tenant, plugin, key),
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO plugin_state_now (tenant, plugin, key, value)
    SELECT tenant, plugin, key, value FROM plugin_state s WHERE value IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM plugin_state later WHERE later.tenant = s.tenant AND later.plugin = s.plugin
        AND later.key = s.key AND later.revision > s.revision);
DROP TABLE plugin_state;
ALTER TABLE plugin_state_now RENAME TO plugin_state;
