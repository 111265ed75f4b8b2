"""`sidecar replay`: the monitors over recorded traffic, offline; what they would have said, and how fast."""
