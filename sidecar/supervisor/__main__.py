"""`python -m sidecar.supervisor FD`: a supervisor of the Plan that waits on the descriptor."""

import asyncio
import os
import sys

from sidecar import logs
from sidecar.errors import SidecarError
from sidecar.supervisor.plan import Plan
from sidecar.supervisor.supervisor import Supervisor


def main() -> None:
    """Entry point of `python -m sidecar.supervisor FD`; what follows in the arguments is for `ps`."""
    with os.fdopen(int(sys.argv[1])) as stream:
        plan = Plan.from_json(stream.read())
    logs.configure("supervisor")

    async def supervise() -> int:
        return await Supervisor(plan).run()

    try:
        raise SystemExit(asyncio.run(supervise()))
    except SidecarError as error:
        print(f"sidecar: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
