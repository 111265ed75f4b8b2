"""Which labels tell two installations apart: the ones every alert is aggregated by.

Chosen as a fixed list with `by`, not as `without (instance, pod, …)`: what a scrape adds to a pod
(node, pod IP, template hash, track) differs from cluster to cluster, and one such label that is not
dropped would judge every replica alone and never reach a floor on events. A label of this list that
is not there is simply empty, so the same rules work in kube-prometheus (namespace, job), in a
many-cluster store (cluster) and in a bare Prometheus (job alone), where `job` keeps staging and
production apart. Versions and instances are summed: a page is about a model.
"""

INSTALLATION = ("cluster", "namespace", "job")
MODEL = (*INSTALLATION, "model_name")


def by(*labels: str) -> str:
    """`by (cluster, namespace, job, …)` with these labels at the end."""
    return f"by ({', '.join((*INSTALLATION, *labels))})"


def on(*labels: str) -> str:
    """The same labels, for matching two sides."""
    return f"on ({', '.join((*INSTALLATION, *labels))})"
