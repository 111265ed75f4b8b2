"""A real model server, real data and a scripted incident: the product alive on one machine.

`run_demo` is the whole of it. The parts are the integration tests' fixture too. No part of the sidecar
depends on it, and it knows the sidecar only from outside: its commands, its ports and its metrics.
"""


def run_demo(
    seconds: float | None = None, headless: bool = False, incident: bool = True, story: str = "default"
) -> int:
    """Run the demo and return its exit code; see `sidecar.demo.run`."""
    # Not at the top: the model server's process imports this package and needs none of it.
    from sidecar.demo import run

    return run.run_demo(seconds, headless, incident, story)
