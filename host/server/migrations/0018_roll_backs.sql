-- What a roll-back left is not gone back to by the next one: that goes on from where this one came to.
ALTER TABLE binding_history ADD COLUMN rolled_back INTEGER NOT NULL DEFAULT 0;
