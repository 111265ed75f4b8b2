"""The configuration: what may be set, where it comes from, and every mistake in one sentence each.

`load` is the way in; `schema` is what there is to set, with the reason for each default.
"""

from sidecar.config.load import PREFIX, load
from sidecar.config.schema import Settings

__all__ = ["PREFIX", "Settings", "load"]
