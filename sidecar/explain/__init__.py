"""`sidecar explain`: which decoder reads an exchange, why, what it reads, and what would help."""

from sidecar.explain.run import explain_file, explain_recent

__all__ = ["explain_file", "explain_recent"]
