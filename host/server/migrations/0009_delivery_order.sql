-- Receivers meet the events of a video in the order in which they happened: a delivery is not tried before each earlier
-- one about the same video has been tried once.

ALTER TABLE deliveries ADD COLUMN video TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;     -- whether its first attempt is over
UPDATE deliveries SET video = (SELECT e.video FROM events e WHERE e.id = deliveries.event),
    tried = EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = deliveries.id);
CREATE INDEX deliveries_untried ON deliveries (tenant, url, video, id)
    WHERE tried = 0 AND phase IN ('shaping', 'pending');
