-- Nearly all events are results of probes; who leaves them out must not read past them.
CREATE INDEX events_but_results ON events (index) WHERE type <> 'probe.result';
