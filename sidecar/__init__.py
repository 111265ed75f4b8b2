"""inference-sidecar: watches the inference traffic of any model server."""

__version__ = "0.1.0"
