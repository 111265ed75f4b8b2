"""The chart without a cluster: it renders, is linted, fits every schema, and says what it should."""

import json
import re

import pytest
import yaml

from sidecar.generators import rules as generator
from sidecar.generators.links import Links
from tests.helm.goldens import DIRECTORY, golden
from tests.helm.rendering import CHART, CI_VALUES, NAMESPACE, ROOT, manifests, objects, only, tool, values
from tests.helm.schemas import VERSIONS, check_custom, exists

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
MODES = ("policy", "webhook", "none")
OTHERS = ("monitoring.coreos.com", "cert-manager.io", "grafana.integreatly.org")


@pytest.mark.parametrize("name", CI_VALUES)
def test_what_a_values_file_renders_to_was_read_and_accepted(name):
    assert (DIRECTORY / f"{name}.txt").read_text() == golden(name), "run `make gen` and read the difference"


def test_every_accepted_render_has_its_values_file():
    assert {path.stem for path in DIRECTORY.glob("*.txt")} == set(CI_VALUES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CI_VALUES)
def test_every_values_file_renders_in_every_mode_and_fits_every_version_that_has_the_kinds(name, mode):
    given = values(name)
    given.setdefault("injection", {})["mode"] = mode
    for item in objects(given):
        if item["apiVersion"].split("/")[0] in OTHERS:
            check_custom(item)
            continue
        known = [version for version in VERSIONS if exists(item, version)]
        first = "1.36" if item["kind"].startswith("MutatingAdmissionPolicy") else "1.29"
        assert known == [v for v in VERSIONS if VERSIONS.index(v) >= VERSIONS.index(first)], item["kind"]


def test_a_field_that_no_schema_knows_would_be_found():
    item = only({"injection": {"mode": "webhook"}}, "Deployment")
    item["spec"]["replica"] = 2
    with pytest.raises(Exception, match="replica"):
        exists(item, "1.36")
    monitor = only({"podMonitor": {"enabled": True}}, "PodMonitor")
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "30s"
    with pytest.raises(AssertionError):
        check_custom(monitor)


def lint(given, version=None):
    """What Helm's linter says; an icon is for catalogues."""
    report = tool("helm_python").lint(str(CHART), given, strict=True, kube_version=version)
    assert report["total_charts_linted"] == 1
    return [*report["errors"], *(m for m in report["messages"] if m["error"] != "icon is recommended")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CI_VALUES)
def test_helm_has_nothing_to_complain_about(name, mode):
    given = values(name)
    given.setdefault("injection", {})["mode"] = mode
    assert lint(given) == []


@pytest.mark.parametrize(("version", "refused"), [("1.35.4", True), ("1.36.0", False), ("1.37.1", False)])
def test_policies_are_refused_where_kubernetes_has_none_with_what_to_do_instead(version, refused, capfd):
    # The linter logs what a template refuses, and goes on; installing stops there.
    lint({}, version)
    assert ("use injection.mode=webhook" in capfd.readouterr().err) is refused


@pytest.mark.parametrize("version", ["1.29.0", "1.33.2", "1.35.0"])
def test_the_webhook_is_for_every_version(version, capfd):
    assert lint({"injection": {"mode": "webhook"}}, version) == []
    assert "fail" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"injection": {"mode": "magic"}},
        {"injectoin": {}},
        {"sidecar": {"native": "yes"}},
        {"image": {"digest": "latest"}},
        {"sidecar": {"ports": {"inference": 80}}},
        {"sidecar": {"model": {"nameFrom": "app"}}},
        {"webhook": {"tls": {"certmanager": {"enabled": False}}}},
        {"podMonitor": {"interval": "30"}},
    ],
)
def test_a_wrong_value_is_refused_by_the_schema(wrong):
    with pytest.raises(Exception, match="schema"):
        manifests(wrong)


def test_a_certificate_of_ones_own_needs_its_ca():
    wrong = {"injection": {"mode": "webhook"}, "webhook": {"tls": {"certManager": {"enabled": False}}}}
    with pytest.raises(Exception, match="existingSecret and caBundle are both needed"):
        manifests(wrong)


def _keys(tree, schema, path=""):
    """Paths that only one of values.yaml and its schema knows."""
    known = schema.get("properties")
    if known is None or not isinstance(tree, dict):
        return set()
    expected = set(known) - ({"global", "enabled"} if not path else set())
    if path.startswith(("sidecar.probes", "sidecar.resources", "webhook.tls.certManager.issuerRef")) or (
        path.endswith("resources")
    ):
        expected &= set(tree)
    different = {f"{path}.{key}".lstrip(".") for key in expected ^ set(tree)}
    inside = (_keys(tree[key], known[key], f"{path}.{key}".lstrip(".")) for key in tree if key in known)
    return different.union(*inside)


def test_values_and_schema_know_the_same_keys():
    assert _keys(DEFAULTS, SCHEMA) == set()


def test_nothing_of_others_is_installed_unless_asked_for():
    for mode in ("policy", "none"):
        groups = {item["apiVersion"].split("/")[0] for item in objects({"injection": {"mode": mode}})}
        assert groups.isdisjoint(OTHERS)


def test_custom_resources_and_dashboards_carry_the_labels_that_their_operators_look_for():
    rendered = objects(values("policy-everything"))
    custom = [
        i for i in rendered if i["apiVersion"].split("/")[0] in OTHERS or "grafana" in str(i["metadata"])
    ]
    assert {i["kind"] for i in custom} == {"PodMonitor", "PrometheusRule", "ConfigMap", "GrafanaDashboard"}
    for item in custom:
        assert item["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    certificate = only(values("webhook"), "Certificate")
    assert certificate["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_the_rules_and_dashboards_are_those_of_the_repository():
    rendered = objects(values("policy-everything"))
    rules = [item["spec"] for item in rendered if item["kind"] == "PrometheusRule"]
    files = sorted((ROOT / "alert-rules").glob("*.rules.yaml"))
    assert len(files) == len(rules) >= 4
    assert rules == [yaml.safe_load(file.read_text()) for file in files]
    paths = sorted((ROOT / "dashboards").glob("*.json"))
    boards = {path.name: json.loads(path.read_text()) for path in paths}
    config_maps = [i for i in rendered if i["metadata"]["labels"].get("grafana_dashboard") == "1"]
    shipped = [(name, json.loads(text)) for i in config_maps for name, text in i["data"].items()]
    assert len(shipped) == len(boards) and dict(shipped) == boards
    for config_map in config_maps:
        assert config_map["metadata"]["annotations"] == {"grafana_folder": "Inference"}
    assert [json.loads(i["spec"]["json"]) for i in rendered if i["kind"] == "GrafanaDashboard"] == list(
        boards.values()
    )


def test_alerts_link_to_the_grafana_and_the_runbooks_of_the_values_as_the_command_writes_them():
    links = Links(runbooks="https://wiki.example/rb", grafana="https://grafana.example/sub")
    given = {"enabled": True, "grafanaUrl": links.grafana, "runbookUrl": links.runbooks}
    rendered = objects(values("policy-everything") | {"prometheusRule": given})
    rules = [item["spec"] for item in rendered if item["kind"] == "PrometheusRule"]
    written = generator.generate(links=links)

    assert rules == [yaml.safe_load(written[name]) for name in sorted(written)]


def test_the_scrape_finds_what_injection_marks():
    monitor = only(values("policy-everything"), "PodMonitor")["spec"]
    assert monitor["selector"] == {"matchLabels": {"inference-sidecar.io/injected": "true"}}
    (endpoint,) = monitor["podMetricsEndpoints"]
    for name in ("policy", "policy-everything"):
        ports = [port["name"] for container in injected(name)["containers"] for port in container["ports"]]
        assert ports.count(endpoint["port"]) == 1


def test_the_webhook_lets_pods_start_when_it_does_not_answer():
    (hook,) = only(values("webhook"), "MutatingWebhookConfiguration")["webhooks"]
    assert hook["failurePolicy"] == "Ignore"
    assert hook["timeoutSeconds"] <= 10
    assert hook["rules"][0]["operations"] == ["CREATE"]
    assert hook["reinvocationPolicy"] == "IfNeeded"


def test_policy_and_webhook_look_at_the_same_pods():
    policy = only(values("policy"), "MutatingAdmissionPolicy")["spec"]["matchConstraints"]
    (hook,) = only(values("webhook"), "MutatingWebhookConfiguration")["webhooks"]
    for selector in ("namespaceSelector", "objectSelector"):
        assert policy[selector] == hook[selector]
    assert NAMESPACE in policy["namespaceSelector"]["matchExpressions"][0]["values"]


def test_the_webhook_may_list_services_and_write_events_and_nothing_else():
    rules = only(values("webhook"), "ClusterRole")["rules"]
    assert {(r["resources"][0], *r["verbs"]) for r in rules} == {("services", "list"), ("events", "create")}
    kinds = {item["kind"] for item in objects(values("webhook-secret"))}
    assert kinds.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
    assert all(i["kind"] not in ("ClusterRole", "Role") for i in objects(values("policy-everything")))


def injected(name):
    """Every container that is added, as the webhook is told."""
    given = values(name)
    given["injection"] = {**given["injection"], "mode": "webhook"}
    (text,) = [i["data"]["injection.yaml"] for i in objects(given) if "injection.yaml" in i.get("data", {})]
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", ["policy", "policy-everything", "policy-plain"])
def test_sidecars_are_restricted_bounded_in_memory_and_never_throttled(name):
    for container in injected(name)["containers"]:
        security = container["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 65532
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert set(container["resources"]["limits"]) == {"memory"}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "startupProbe" in container


def test_probes_ask_the_sidecar_only():
    (container,) = injected("policy")["containers"]
    paths = {
        probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths["startupProbe"] == paths["livenessProbe"] == {"path": "/-/healthy", "port": "sidecar-admin"}
    assert paths["readinessProbe"] == {"path": "/-/ready", "port": "sidecar-admin"}


def test_only_the_init_container_of_redirect_has_a_privilege():
    container = injected("policy-everything")["redirectContainer"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert "restartPolicy" not in container


def test_a_digest_wins_over_the_tag():
    (relay, _) = injected("policy-everything")["containers"]
    assert re.fullmatch(r"registry\.example\.org/ml/inference-sidecar@sha256:[0-9a-f]{64}", relay["image"])
    (sidecar,) = injected("policy")["containers"]
    assert sidecar["image"] == f"ghcr.io/inference-sidecar/inference-sidecar:{_chart()['appVersion']}"


def test_chart_and_program_are_one_release():
    from sidecar import __version__

    assert _chart()["version"] == _chart()["appVersion"] == __version__


def _chart():
    return yaml.safe_load((CHART / "Chart.yaml").read_text())
