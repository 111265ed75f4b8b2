"""Runs an admitted pod as a kubelet would, in namespaces of its own: `python -m tests.helm.kubelet FILE`.

FILE is a pod as JSON. Its sidecars are run with exactly the arguments and variables that they were given,
in order, each when the one before has started; then a model server; then clients in another namespace ask
for what a Service would lead to. It ends as pods end: endpoints and preStop together, the model server, the
sidecars in reverse. Prints one JSON object. Root only; everything is gone with the namespaces.
"""

import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

Object = dict[str, Any]
POD_ADDRESS = "10.9.0.1"
MODEL_PORT = 8000
NETWORK = """
mount -t tmpfs tmpfs /run && mkdir /run/inference-sidecar && ip link set lo up
ip link add outside type veth peer name inside
ip netns add client && ip link set outside netns client
ip address add 10.9.0.1/24 dev inside && ip link set inside up
ip -n client address add 10.9.0.2/24 dev outside && ip -n client link set outside up
"""
# How long endpoints take to reach every node, and how long the model goes on serving (the preStop sleep).
PROPAGATION_SECONDS, SLEEP_SECONDS = 0.5, 1.0


def main(pod: Object) -> Object:
    """One life of a pod."""
    subprocess.run(["bash", "-ec", NETWORK], check=True)
    added = [c for c in pod["spec"]["initContainers"] if c["name"].startswith("inference-sidecar")]
    sidecars = []
    for container in added:
        process = subprocess.Popen(command(container), env=environment(container, pod))
        if container.get("restartPolicy") != "Always":
            assert process.wait(30) == 0, f"{container['name']} failed"
            continue
        sidecars.append(process)
        wait_for(container["startupProbe"], container, process)
    model = subprocess.Popen([sys.executable, "-m", __spec__.name, "serve"])
    wait_for({"tcpSocket": {"port": MODEL_PORT}}, {}, model)
    for container in (c for c in added if "readinessProbe" in c):
        wait_for(container["readinessProbe"], container, sidecars[0])
    clients = subprocess.Popen(
        ["ip", "netns", "exec", "client", sys.executable, "-m", __spec__.name, "ask", str(target(pod))],
        stdout=subprocess.PIPE,
        text=True,
    )
    metrics = scrape(added)
    # The end: nobody waits for the endpoints.
    time.sleep(PROPAGATION_SECONDS)
    clients.send_signal(signal.SIGTERM)
    time.sleep(SLEEP_SECONDS - PROPAGATION_SECONDS)
    model.terminate()
    codes = [model.wait(10)]
    for process in reversed(sidecars):
        process.terminate()
        codes.append(process.wait(30))
    told: Object = json.loads(clients.communicate(timeout=10)[0])
    return {"codes": codes, "metrics": metrics, **told}


def command(container: Object) -> list[str]:
    """What the image's entry point makes of the container's arguments."""
    return [sys.executable, "-m", "sidecar", *container["args"]]


def environment(container: Object, pod: Object) -> dict[str, str]:
    """Its variables and no others, but for what finds our own Python."""
    found = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}
    for item in container.get("env", []):
        source = item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        found[item["name"]] = field(pod, source) if source else item["value"]
    return found


def field(pod: Object, path: str) -> str:
    """A field of the pod, as the downward API gives it: a label that is not there is empty."""
    name, _, key = path.partition("['")
    value: Any = pod
    for part in name.split("."):
        value = value.get(part, {})
    return str(value.get(key.removesuffix("']"), "")) if key else str(value or "")


def number(port: int | str, container: Object) -> int:
    """A port by its number, or by its name in the container."""
    if isinstance(port, int):
        return port
    return next(int(p["containerPort"]) for p in container["ports"] if p["name"] == port)


def target(pod: Object) -> int:
    """Where a Service with `targetPort: http` (or the number) leads."""
    declared = [port for c in pod["spec"]["containers"] for port in c.get("ports", [])]
    return next((int(p["containerPort"]) for p in declared if p.get("name") == "http"), MODEL_PORT)


def wait_for(probe: Object, container: Object, process: subprocess.Popen[Any]) -> None:
    """Until the probe succeeds once."""
    deadline = time.monotonic() + 60
    while not probed(probe, container):
        assert process.poll() is None, f"it ended with {process.returncode} before {probe} succeeded"
        assert time.monotonic() < deadline, f"{probe} never succeeded"
        time.sleep(0.05)


def probed(probe: Object, container: Object) -> bool:
    """One attempt, on the pod's own address as the kubelet makes it."""
    action = probe.get("httpGet") or probe["tcpSocket"]
    connection = http.client.HTTPConnection(POD_ADDRESS, number(action["port"], container), timeout=1)
    try:
        connection.connect()
        if "httpGet" not in probe:
            return True
        connection.request("GET", action["path"])
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def scrape(containers: list[Object]) -> list[str]:
    """What the port named sidecar-admin says of inference requests, when it has seen some."""
    (port,) = [number("sidecar-admin", c) for c in containers if "readinessProbe" in c]
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection(POD_ADDRESS, port, timeout=10)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        found = [line for line in lines if re.match(r"inference_requests_total\{.* [1-9]", line)]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


class Model(http.server.BaseHTTPRequestHandler):
    """Answers any prediction."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"predictions": [0.25]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


def serve() -> None:
    """The model server: on TERM it stops accepting and finishes what it has."""
    with http.server.ThreadingHTTPServer(("0.0.0.0", MODEL_PORT), Model) as server:
        server.daemon_threads = True
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(0.05)


def ask(port: int) -> None:
    """Clients until TERM: half of them open a connection for each request. Prints what became of them."""
    leave = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leave.set())
    answered: list[int] = []
    failed: list[str] = []
    body = b'{"instances": [[1, 2]]}'

    def client(keep: bool) -> None:
        connection = http.client.HTTPConnection(POD_ADDRESS, port, timeout=10)
        while not leave.is_set():
            try:
                connection.request(
                    "POST", "/v1/models/churn:predict", body, {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                answer.read()
                (answered if answer.status == 200 else failed).append(answer.status)  # type: ignore[arg-type]
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()
            if not keep:
                connection.close()
            leave.wait(0.02)
        connection.close()

    threads = [threading.Thread(target=client, args=(keep,)) for keep in (True, True, False, False)]
    for thread in threads:
        thread.start()
    leave.wait()
    for thread in threads:
        thread.join()
    print(json.dumps({"answered": len(answered), "failed": failed}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["ask", port]:
            ask(int(port))
        case [path]:
            print(json.dumps(main(json.loads(Path(path).read_text()))))
