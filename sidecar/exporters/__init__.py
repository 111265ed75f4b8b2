"""Snapshots of the registry to the outside: Prometheus and OTLP."""
