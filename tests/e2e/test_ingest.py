"""A sidecar that relays nothing: request loggers bring what it observes."""

import asyncio
import os
import signal
import sys

import aiohttp

from sidecar.demo.monitoring import answers
from sidecar.demo.processes import free_ports
from tests.e2e.conftest import eventually
from tests.ingest import events


async def test_events_posted_to_a_sidecar_without_upstream_are_in_its_metrics():
    sink, admin = free_ports(2)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--listen", "127.0.0.1:0"),
        *("--admin", f"127.0.0.1:{admin}"),
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "SIDECAR_INGEST__CLOUDEVENTS": f"127.0.0.1:{sink}",
            "SIDECAR_DRAIN__GRACE": "0s",
        },
        start_new_session=True,
    )
    metrics = f"http://127.0.0.1:{admin}/metrics"
    try:
        await eventually(lambda: answers(f"http://127.0.0.1:{admin}/-/ready"), "ready")
        await eventually(lambda: answers(f"http://127.0.0.1:{admin}/api/v1/status"), "the observer runs")
        async with aiohttp.ClientSession() as session:
            for number in range(20):
                for role, data in (("request", {"instances": [[1.5]]}), ("response", {"predictions": [0.5]})):
                    headers, body = events.logged(role, data, id=str(number))
                    async with session.post(
                        f"http://127.0.0.1:{sink}/", headers=headers, data=body
                    ) as answer:
                        assert answer.status == 202

            async def counted() -> bool:
                async with session.get(metrics) as answer:
                    text = await answer.text()
                return all(
                    line in text
                    for line in (
                        'inference_rows_total{model_name="iris",model_version="unknown"} 20',
                        'sidecar_ingest_events_total{source="kserve",state="observed"} 40',
                    )
                )

            await eventually(counted, "all of them are counted")
            async with session.get(f"http://127.0.0.1:{admin}/api/v1/status") as answer:
                assert (await answer.json())["listen"] == f"CloudEvents on 127.0.0.1:{sink}"
        os.killpg(process.pid, signal.SIGTERM)
        said = (await asyncio.wait_for(process.communicate(), 20))[1]
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)

    assert process.returncode == 0
    assert b"taking CloudEvents on 127.0.0.1" in said
    assert b"Traceback" not in said
