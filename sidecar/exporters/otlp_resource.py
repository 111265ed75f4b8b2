"""Who is speaking: the resource attributes of everything that is sent over OTLP. Pure.

In Kubernetes a container does not know its pod; the downward API puts that into variables, under the
attribute's own name in capitals or under the names that people commonly give them.
"""

import platform
from collections.abc import Mapping

from sidecar.exporters.otlp_variables import Variables

_KUBERNETES = {
    "k8s.cluster.name": ("K8S_CLUSTER_NAME", "CLUSTER_NAME"),
    "k8s.namespace.name": ("K8S_NAMESPACE_NAME", "POD_NAMESPACE"),
    "k8s.pod.name": ("K8S_POD_NAME", "POD_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "POD_UID"),
    "k8s.pod.ip": ("K8S_POD_IP", "POD_IP"),
    "k8s.node.name": ("K8S_NODE_NAME", "NODE_NAME"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
    "k8s.deployment.name": ("K8S_DEPLOYMENT_NAME",),
}


def resource_attributes(environ: Mapping[str, str], version: str = "", instance: str = "") -> dict[str, str]:
    """Who is speaking: service and, where the pod says so, Kubernetes.

    `OTEL_SERVICE_NAME` wins over `OTEL_RESOURCE_ATTRIBUTES`, which wins over what we know ourselves.
    """
    read = Variables(environ)
    found = {name: next((read(v) for v in names if read(v)), "") for name, names in _KUBERNETES.items()}
    # <namespace>.<pod>.<container>, as the conventions for Kubernetes attributes advise.
    in_pod = [found[f"k8s.{part}.name"] for part in ("namespace", "pod", "container")]
    attributes = {
        "service.name": "inference-sidecar",
        "service.version": version,
        "service.instance.id": ".".join(filter(None, in_pod)) if in_pod[1] else instance or platform.node(),
        **found,
        **read.pairs(read("OTEL_RESOURCE_ATTRIBUTES"), "OTEL_RESOURCE_ATTRIBUTES"),
    }
    if name := read("OTEL_SERVICE_NAME"):
        attributes["service.name"] = name
    return {key: value for key, value in attributes.items() if value}
