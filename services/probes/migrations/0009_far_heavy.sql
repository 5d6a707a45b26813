-- The heavy probes of agents, whose times are spared at their systems.
CREATE INDEX probes_far_heavy ON probes (heavy_at) WHERE vantage IS NOT NULL;
