"""Rule files as PrometheusRule objects, for `kubectl apply` where there is the Prometheus operator.

The same groups, wrapped; comments stay at the top. The trap: an operator picks up only objects with the
labels it was told to look for (kube-prometheus-stack: `release: NAME`), so labels can be given.
"""

from collections.abc import Mapping

import yaml

from sidecar.generators.rule import dump


def objects(files: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """File name → one object each, named after its rule file."""
    return {name.replace(".rules.yaml", ".prometheusrule.yaml"): _object(name, text, labels)
            for name, text in files.items()}  # fmt: skip


def _object(name: str, text: str, labels: Mapping[str, str]) -> str:
    stem = name.removesuffix(".rules.yaml")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    metadata = {"name": f"inference-sidecar-{stem}", "labels": {**_LABELS, **labels}}
    body = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": yaml.safe_load(text),
    }
    return head + dump(body)


_LABELS = {"app.kubernetes.io/name": "inference-sidecar", "app.kubernetes.io/component": "alert-rules"}
