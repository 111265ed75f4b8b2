"""The observer's HTTP server: metrics, status, probes."""
