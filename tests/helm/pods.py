"""Pods as people write them, for everything that changes pods."""

from typing import Any

Object = dict[str, Any]


def pod(*containers: Object, annotations: Object | None = None, **spec: Any) -> Object:
    """A pod that asks for a sidecar. Each annotation is given without its prefix."""
    metadata: Object = {
        "name": "churn-7d9",
        "labels": {"app": "churn", "inference-sidecar.io/inject": "true"},
    }
    if annotations:
        metadata["annotations"] = {
            f"inference-sidecar.io/{key}": str(text) for key, text in annotations.items()
        }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": list(containers or (server(),)), **spec},
    }


def server(*ports: Object, **more: Any) -> Object:
    """A model server that listens on 8000, by the name `http`, unless other ports are given."""
    ports = ports or (port(),)
    return {"name": "model", "image": "registry.example.org/churn:3", "ports": list(ports), **more}


def port(number: int = 8000, name: str | None = "http", protocol: str | None = "TCP", **more: Any) -> Object:
    """A container's port; without name or protocol where they are None."""
    given = {"name": name, "protocol": protocol, **more}
    return {"containerPort": number, **{key: value for key, value in given.items() if value is not None}}


HTTP = {"httpGet": {"path": "/health", "port": "http"}}
NUMBER = {"tcpSocket": {"port": 8000}}

# By what is special about them; all can be injected by a port swap.
NAMED: dict[str, Object] = {
    "plain": pod(),
    "no protocol": pod(server(port(protocol=None))),
    "annotated by others": pod(annotations={"owner": "risk-ml"}),
    "second container": pod(
        {"name": "web", "image": "nginx", "ports": [port(80, "web")]},
        server(),
        annotations={"container": "model", "target-port": "http"},
    ),
    "second port": pod(server(port(8001, "grpc"), port()), annotations={"target-port": "http"}),
    "udp before": pod(server(port(8000, "quic", "UDP"), port())),
    "probes by name": pod(server(livenessProbe=HTTP, readinessProbe=HTTP, startupProbe=HTTP)),
    "probes by number": pod(server(livenessProbe=NUMBER, readinessProbe=NUMBER)),
    "init containers and volumes": pod(
        initContainers=[{"name": "fetch", "image": "busybox"}],
        volumes=[{"name": "weights", "emptyDir": {}}],
    ),
    "lifecycle": pod(server(lifecycle={"preStop": {"exec": {"command": ["sleep", "9"]}}})),
    "half a lifecycle": pod(server(lifecycle={"postStart": {"exec": {"command": ["warm-up"]}}})),
    "configured": pod(annotations={"config": "churn-sidecar"}),
    "host port": pod(server(port(hostPort=8000))),
}
# A Service can only give a number, or the pod says that it does.
NUMERIC: dict[str, Object] = {
    "port without a name": pod(server(port(name=None))),
    "annotated number": pod(annotations={"target-port": "8000"}),
    "number that is not declared": pod(
        {"name": "model", "image": "churn"}, annotations={"target-port": "9000"}
    ),
}
# By the reason for which nothing is done.
REFUSED: dict[str, Object] = {
    "no_such_container": pod(annotations={"container": "typo"}),
    "no_port": pod({"name": "model", "image": "churn"}),
    "no_such_port": pod(annotations={"target-port": "grpc"}),
    "host_network": pod(hostNetwork=True),
    "port_taken": pod(server(), {"name": "other", "image": "other", "ports": [port(18080, None)]}),
    "unknown_interception": pod(annotations={"interception": "magic"}),
}
