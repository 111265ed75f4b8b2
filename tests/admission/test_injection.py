"""The description of what is added is read whole, or refused with a sentence."""

import pytest
import yaml

from sidecar.admission.injection import filled, load
from sidecar.errors import ConfigError
from tests.admission.reviews import injection


def test_what_the_chart_writes_is_read():
    found = injection("policy-everything")
    assert (found.inference_port, found.admin_port) == (18080, 19464)
    assert [container["name"] for container in found.containers] == [
        "inference-sidecar-relay",
        "inference-sidecar-observe",
    ]
    assert {"kube-system", "inference-sidecar"} <= found.excluded_namespaces


GOOD = {
    "interception": "port-swap",
    "redirectEnabled": False,
    "native": True,
    "preStopSleepSeconds": 0,
    "ports": {"inference": 18080, "admin": 19464},
    "containers": [{"name": "inference-sidecar"}],
    "redirectContainer": {"name": "inference-sidecar-redirect"},
    "volumes": [],
}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"interception": "magic"}, "'magic' is not a valid Interception: missing or of the wrong type"),
        ({"native": "yes"}, "native: missing or of the wrong type"),
        ({"ports": {"inference": 18080}}, "'admin': missing or of the wrong type"),
        ({"ports": None}, "missing or of the wrong type"),
        ({"containers": ["x"]}, "containers: missing or of the wrong type"),
        ({"volumes": {}}, "volumes: missing or of the wrong type"),
    ],
)
def test_a_wrong_description_is_refused_by_its_key(tmp_path, changed, sentence):
    (tmp_path / "injection.yaml").write_text(yaml.safe_dump({**GOOD, **changed}))
    with pytest.raises(ConfigError, match=r"is it this chart's\?") as refused:
        load(str(tmp_path / "injection.yaml"))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("[", "is no YAML"), ("- a", "is no mapping"), (None, "cannot be read: no such file or directory")],
)
def test_what_is_no_description_is_refused(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "injection.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load(str(tmp_path / "injection.yaml"))


def test_names_are_filled_in_where_they_are_the_whole_text_and_nowhere_else():
    tree = {"a": ["%x%", "x%x%", 1, None, True], "%x%": {"b": "%y%"}}
    found = filled(tree, {"%x%": "%y%", "%y%": '", "privileged": true'})
    assert found == {"a": ["%y%", "x%x%", 1, None, True], "%x%": {"b": '", "privileged": true'}}
    assert tree["a"][0] == "%x%"
