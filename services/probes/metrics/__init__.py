"""Metrics: what each probe saw last, for a Prometheus that draws and alerts by itself."""
