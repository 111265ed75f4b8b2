"""Putting the sidecar into pods: what is possible, decided without a cluster."""
