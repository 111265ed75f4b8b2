"""Reading the configuration again while traffic flows: what changed, and what of it can change now.

Another process reads and checks it, as at the start; the supervisor only compares plans. What the observer
works with can change (the observer is started anew, which costs a counted gap and no connection); what the
relay was started with cannot, and is named.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import fields

from sidecar.errors import SidecarError
from sidecar.supervisor.plan import Plan

# Reading a configuration with a thousand references takes a second or two.
READ_SECONDS = 30.0
PRINT_PLAN = "--print-plan"
_NOW = frozenset({"observer", "drain_grace", "drain_deadline"})


async def read_plan(arguments: Sequence[str]) -> Plan:
    """The plan that the same command line comes to now. Raises SidecarError with its complaints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", *arguments, PRINT_PLAN),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(READ_SECONDS):
            plan, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        raise SidecarError(f"it could not be read within {READ_SECONDS:g} s") from None
    if process.returncode:
        raise SidecarError(complaints.decode(errors="replace").strip())
    return Plan.from_json(plan.decode())


def fixed_differences(old: Plan, new: Plan) -> list[str]:
    """The parts of `new` that differ and need a restart to take effect, by name."""
    return [
        field.name
        for field in fields(Plan)
        if field.name not in _NOW and getattr(old, field.name) != getattr(new, field.name)
    ]
