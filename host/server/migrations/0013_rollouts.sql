-- What was active when a rollout began: a candidate is beside that, and with anything else in its place it is over.
ALTER TABLE rollouts ADD COLUMN base_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollouts ADD COLUMN base_settings_revision INTEGER NOT NULL DEFAULT 0;
