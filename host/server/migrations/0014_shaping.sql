-- Deliveries that wait for a policy are looked for tenant by tenant, so that one with very many keeps nobody waiting.
DROP INDEX deliveries_shaping;
CREATE INDEX deliveries_shaping ON deliveries (tenant, id) WHERE phase = 'shaping';
