-- Who begins a backtest asks how many run. The writer looks at those alone, not at all that ever ran.
CREATE INDEX backtests_running ON backtests (tenant) WHERE state = 'running';
