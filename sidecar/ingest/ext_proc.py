"""Where Envoy's external processing filter connects to, in observability mode."""

from sidecar.address import Address
from sidecar.errors import SidecarError
from sidecar.ingest.intake import Intake


class ExtProc:
    """The gRPC server."""

    def __init__(self, intake: Intake, address: Address) -> None:
        self._address = address

    async def start(self) -> None:
        """Listen."""
        raise SidecarError(f"cannot listen on {self._address}: this version has no ext_proc yet")

    async def stop(self) -> None:
        """Listen no more."""
