"""What a configuration may say, and the exact sentence for each thing that it may not."""

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar import config
from sidecar.address import Address, Route
from sidecar.config import Settings, file
from sidecar.config import problems as config_problems
from sidecar.config.load import _Layers, _settle
from sidecar.errors import ConfigError, UsageError
from sidecar.inference import ModelRef
from sidecar.policy import PayloadRule, Segment
from sidecar.reference import ColumnType, Expectation
from sidecar.slo import DEFAULT_OBJECTIVES, Objective

EVERYTHING = """
listen: 127.0.0.1:18080
upstream: unix:/run/model.sock
admin: "[::1]:19464"
model: {name: churn, version: 3.10, owner: risk-ml, runbook: "https://wiki.example/churn"}
reference: /etc/sidecar/reference.json
features:
  age: {type: number, min: 0, max: 120, required: true}
  region: {type: category, values: [n, s, no, 1]}
  as_of: {type: timestamp, max_age: 5m}
slos:
  availability: {objective: 99.95%}
  latency: {objective: 95, threshold: 200ms}
  feature_availability: {objective: 99.9}
  prediction_validity: {objective: 99}
segments: {tenant: {header: X-Tenant, limit: 5}, region: {feature: region}}
drift: {page: false, budget: 2 false pages per model per year, replicas: 3}
models:
  fraud: {reference: /fraud.json, slos: {availability: {objective: 99}}, owner: fraud-ml, drift: {page: yes},
          approved_versions: [3, 4.10]}
  "*": {owner: platform}
otlp: {endpoint: "http://collector:4317"}
ingest: {cloudevents: 127.0.0.1:18090, ext_proc: "[::1]:18091"}
drain: {grace: 1s, deadline: 1m30s}
connect_timeout: 500ms
workers: 2
"""


def load(
    text: str = "", env: dict[str, str] | None = None, tmp_path: Path | None = None, **flags: str
) -> Settings:
    """The settings of a file with this text."""
    if not text:
        return config.load(None, env or {}, flags)
    assert tmp_path is not None
    path = tmp_path / "sidecar.yaml"
    path.write_text(text)
    return config.load(str(path), env or {}, flags)


def problems(text: str, tmp_path: Path, env: dict[str, str] | None = None, **flags: str) -> list[str]:
    """Everything said about a file with this text, without the directory it is in."""
    with pytest.raises(ConfigError) as caught:
        load(text, env, tmp_path, **flags)
    return [problem.replace(f"{tmp_path}{os.sep}", "") for problem in caught.value.problems]


BAD = [
    # --- keys
    ("upstraem: h:1", "upstraem: no such key; did you mean upstream?"),
    ("connect-timeout: 1s", "connect-timeout: no such key; did you mean connect_timeout?"),
    ("grace: 5s", "grace: no such key; did you mean drain.grace?"),
    ("drift: {window: 0}", "drift.window: no such key; keys here are page, budget, replicas"),
    ("features: {age: {kind: number}}",
     "features.age.kind: no such key; keys here are type, required, min, max, values, max_age"),
    ("models: {fraud: {slo: {}}}", "models.fraud.slo: no such key; did you mean models.fraud.slos?"),
    ("<<: {}", "<<: no such key; merge keys are not supported, write the keys out"),
    ("? [a]\n: 1", "the key on line 1 is a list or a mapping; a key is text"),
    ("workers: 1\nadmin: h:1\nworkers: 2", "workers: given twice (lines 1 and 3); keep one"),
    ("drain:\n  grace: 1s\n  grace: 2s", "drain.grace: given twice (lines 2 and 3); keep one"),
    # --- keys of later versions are not silently ignored
    ("tls: {cert: c.pem}", "tls.key: missing; give a value"),
    ("paging: {min_burn: 1}",
     "paging.min_burn: 1 is not allowed; give a burn rate above 3 and below 14.4, such as 4"),
    ("metrics: {merge: h:8002}",
     "metrics.merge: h:8002 is not allowed; give a URL such as http://127.0.0.1:8002/metrics"),
    ("state: {dir: []}", "state.dir: a list is not allowed; give the path of a directory"),
    ("state: {directory: /s}", "state.directory: no such key; the only key here is dir"),
    ("drift: {budget: 1}", "drift.budget: 1 is not allowed; give N false pages per "
     "model per hour, day, week, month or year, such as 1 false page per model per year"),
    ("drift: {replicas: 0}", "drift.replicas: 0 is not allowed; give a number of replicas from 1 to 100000"),
    ("models: {fraud: {approved_versions: ['']}}",
     "models.fraud.approved_versions[0]: '' is not allowed; give a name"),
    ("otlp: {header: {authorization: hunter2}}", "otlp.header: no such key; did you mean otlp.headers?"),
    # --- payload
    ("payload: {rows: $.data.rows}",
     "payload.rows: '$.data.rows' is JSONPath; JMESPath has no $: give data.rows"),
    ("payload: {predictions: 'result[.score'}",
     "payload.predictions: 'result[.score' is no JMESPath expression: '.' at character 8 is not expected "
     "there; give a JMESPath expression such as data.rows"),
    ("payload: {rows: count(@)}",
     "payload.rows: JMESPath has no function count(); give a JMESPath expression such as data.rows"),
    ("payload: {rows: [a]}",
     "payload.rows: a list is not allowed; give a JMESPath expression such as data.rows"),
    ("payload: {features: [a, a]}",
     "payload.features: a name is there twice; give each feature one of its own"),
    ("payload: {paths: [score]}",
     "payload.paths[0]: score is not allowed; give a path such as /score or /fraud/*"),
    ("payload: {paths: /score}", "payload.paths: /score is not allowed; give a list, such as [a, b]"),
    ("payload: {row: a}", "payload.row: no such key; did you mean payload.rows?"),
    ("models: {fraud: {payload: {rows: a}}}",
     "models.fraud.payload.paths: missing; say which requests are this model's, such as [/score]"),
    ("models: {fraud: {payload: {paths: [/f], id: 'a['}}}",
     "models.fraud.payload.id: 'a[' is no JMESPath expression: it ends too early; give a JMESPath "
     "expression such as data.rows"),
    # --- addresses
    ("ingest: {ext_proc: 18091}",
     "ingest.ext_proc: 18091 is not an address; give the host too, such as 127.0.0.1:18091"),
    ("ingest: {envoy: h:1}", "ingest.envoy: no such key; keys here are cloudevents, ext_proc"),
    ("ingest: {cloudevents: 0.0.0.0:18080}",
     "listen: 0.0.0.0:18080 is taken by ingest.cloudevents; give another port"),
    ("ingest: {cloudevents: 127.0.0.1:1, ext_proc: 0.0.0.0:1}",
     "ingest.ext_proc: 0.0.0.0:1 is taken by ingest.cloudevents; give another port"),
    ("ingest: {cloudevents: h:1}\nupstream: h:1", "upstream: h:1 is where the sidecar itself listens "
     "(ingest.cloudevents); give the model server's address"),
    ("upstream: 8000", "upstream: 8000 is not an address; give the host too, such as 127.0.0.1:8000"),
    ("upstream: {host: h}", "upstream: a mapping is not allowed; give host:port, [::1]:port or unix:/path"),
    ("upstream: h:0", "upstream: h:0 has no port to connect to; give the model server's"),
    ("upstream: 127.0.0.1:18080", "upstream: 127.0.0.1:18080 is where the sidecar itself listens (listen); "
     "give the model server's address"),
    ("upstream: localhost:19464", "upstream: localhost:19464 is where the sidecar itself listens (admin); "
     "give the model server's address"),
    ("admin: 127.0.0.1:18080", "listen: 0.0.0.0:18080 is taken by admin; give another port"),
    ("routes: [{listen: h:1}]", "routes[0].upstream: missing; give a value such as 127.0.0.1:8000"),
    ("routes: [{listen: h:1, upstream: u:1}, {listen: h:1, upstream: u:2}]",
     "routes[1].listen: h:1 is taken by routes[0].listen; give another port"),
    ("routes: [{listen: h:1, upstream: u:1}, {listen: h:2, upstream: h:1}]",
     "routes[1].upstream: h:1 is where the sidecar itself listens (routes[0].listen); "
     "give the model server's address"),
    ("upstream: u:1\nroutes: [{listen: h:1, upstream: u:1}]",
     "upstream: not allowed besides routes; put it into a route"),
    ("routes: {}", "routes: a mapping is not allowed; give a list, such as [a, b]"),
    # --- durations
    ("connect_timeout: 5", "connect_timeout: 5 has no unit; give 5s or 5ms"),
    ("connect_timeout: 0.5", "connect_timeout: 0.5 has no unit; give a duration such as 200ms or 5s"),
    ("connect_timeout: 5 seconds",
     "connect_timeout: 5 seconds is not allowed; give a number with a unit, such as 200ms, 5s, 5m or 1h"),
    ("connect_timeout: -5s",
     "connect_timeout: -5s is not allowed; give a number with a unit, such as 200ms, 5s, 5m or 1h"),
    ("connect_timeout: 0s", "connect_timeout: 0s is not allowed; give a duration from 10ms to 5m"),
    ("connect_timeout: 2h", "connect_timeout: 2h is not allowed; give a duration from 10ms to 5m"),
    ("drain: {deadline: 2s}", "drain.deadline: 2s is before grace (5s) is over; give more"),
    # --- objectives
    ("slos: {availability: 99.9}",
     "slos.availability: 99.9 is not allowed; give a mapping with keys such as objective"),
    ("slos: {availability: {objective: 100%}}", "slos.availability.objective: 100% leaves no room "
     "for a single bad event; give less, such as 99.9"),
    ("slos: {availability: {objective: 0.999}}", "slos.availability.objective: 0.999 looks like a share; "
     "give a percentage such as 99.9"),
    ("slos: {availability: {objective: nan}}",
     "slos.availability.objective: nan is not allowed; give a percentage such as 99.9"),
    ("slos: {availability: {objective: 0}}",
     "slos.availability.objective: 0 is not allowed; give a percentage from 1 up to 99.999, such as 99.9"),
    ("slos: {latency: {objective: 95}}",
     "slos.latency.threshold: missing; give a value such as 200ms"),
    ("slos: {time_to_first_token: {objective: 95}}",
     "slos.time_to_first_token.threshold: missing; give a value such as 1s"),
    ("slos: {availability: {objective: 99, threshold: 1s}}",
     "slos.availability.threshold: no such key; did you mean slos.latency.threshold?"),
    ("slos: {freshness: {objective: 99}}\nfeatures: {age: {min: 0}}",
     "slos.freshness: no feature has a max_age, so there is nothing to judge; "
     "give one, such as features: {as_of: {max_age: 5m}}"),
    ("models: {a: {slos: {freshness: {objective: 99}}}, b: {features: {t: {max_age: 5m}}}}",
     "models.a.slos.freshness: no feature has a max_age, so there is nothing to judge; "
     "give one, such as features: {as_of: {max_age: 5m}}"),
    ("quality: {threshold: 2}",
     "quality.threshold: 2 is not allowed; give a share above 0, at most 1, such as 0.5 "
     "(or, if scores are no shares, task: classification beside it)"),
    ("models: {v1.2: {quality: {threshold: 0}}}",
     "models.v1.2.quality.threshold: 0 is not allowed; give a share above 0, at most 1, such as 0.5 "
     "(or, if scores are no shares, task: classification beside it)"),
    # --- features
    ("features: [age]", "features: a list is not allowed; give a mapping of names"),
    ("features: {age: {type: int}}", "features.age.type: int is not allowed; "
     "give number, category, boolean, text or timestamp"),
    ("features: {age: {min: 5, max: 3}}", "features.age.min: 5 is above max (3); swap them"),
    ("features: {age: {min: .inf}}", "features.age.min: .inf is not allowed; give a number"),
    ("features: {age: {min: 1e999}}",
     "features.age.min: 1e999 is not allowed; give a number that fits a double"),
    ("features: {age: {required: maybe}}", "features.age.required: maybe is not allowed; give true or false"),
    ("features: {r: {type: number, values: [a]}}", "features.r.values: only a category has them, "
     "and this is a number; leave one of them out"),
    ("features: {r: {type: category, max_age: 5m}}", "features.r.max_age: only a timestamp has it, "
     "and this is a category; leave one of them out"),
    ("features: {r: {values: []}}",
     "features.r.values: an empty list would make every value invalid; leave it out"),
    # --- the rest
    ("workers: 0", "workers: 0 is not allowed; give a number of processes from 1 to 64"),
    ("workers: two", "workers: two is not allowed; give a number of processes from 1 to 64"),
    ("segments: {t: {}}", "segments.t.feature: missing; a segment has a feature or a header, one of the two"),
    ("segments: {t: {feature: a, header: b}}",
     "segments.t.header: a segment has a feature or a header, one of the two"),
    ("segments: {t: {header: 'x y'}}",
     "segments.t.header: x y is not allowed; give the name of a header such as x-tenant"),
    ("segments: {t: {header: Authorization}}", "segments.t.header: authorization may hold credentials, "
     "which must not become labels; give another header"),
    ("segments: {t: {header: x-t, limit: 1000}}",
     "segments.t.limit: 1000 is not allowed; give a number of values from 1 to 100"),
    ("models: {fraud: 3}", "models.fraud: 3 is not allowed; give a mapping with keys such as "
     "reference, features, features_from, segments, slos, drift, quality, payload, owner, runbook, "
     "approved_versions"),
    ("model: {owner: ''}", "model.owner: '' is not allowed; give a name"),
    ("model: {name: [a]}", "model.name: a list is not allowed; give a name"),
    ('model: {name: "a\\nb"}', "model.name: 'a\\nb' is not allowed; give a name"),
    ("model: {runbook: wiki}",
     "model.runbook: wiki is not allowed; give a URL such as https://wiki.example/churn"),
    ("otlp: {endpoint: collector:4317}", "otlp.endpoint: collector:4317 is not allowed; "
     "give a URL such as http://collector:4317"),
    ("otlp: {endpoint: 'ftp://user:hunter2@h'}", "otlp.endpoint: ftp://…@h is not allowed; "
     "give a URL such as http://collector:4317"),
    ("workers: !!python/name:os.system 1", "workers: a tag (!…) is not allowed; give the plain value"),
    ("{\"\\e[31m\": 1}", "'\\x1b[31m': no such key; keys here are reference, features, features_from, "
     "segments, slos, drift, quality, payload, listen, upstream, routes, admin, …"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_each_mistake_is_named_with_its_key_and_what_would_be_right(text, sentence, tmp_path):
    assert problems(text, tmp_path) == [f"sidecar.yaml: {sentence}"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"a: b: c", "sidecar.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        (b"a:\n\tb: 1", "sidecar.yaml:2:1: not valid YAML: while scanning for the next token found character "
         "'\\t' that cannot start any token; indent with spaces, not tabs"),
        (b"a: [1", "sidecar.yaml:1:6: not valid YAML: while parsing a flow sequence "
         "expected ',' or ']', but got '<stream end>'"),
        (b"a: [{b: :1}]", "sidecar.yaml:1:9: not valid YAML: while parsing a flow node expected the node "
         "content, but found ':'; put a text that begins with a colon into quotes, such as \":8080\""),
        (b"a: *b", "sidecar.yaml:1:4: not valid YAML: found undefined alias 'b'"),
        (b"a: 1\n---\nb: 1", "sidecar.yaml:2:1: not valid YAML: expected a single document in the stream "
         "but found another document"),
        (b"- a", "sidecar.yaml: holds no settings; give keys and values, such as upstream: host:port"),
        (b"upstream 127.0.0.1:1",
         "sidecar.yaml: holds no settings; give keys and values, such as upstream: host:port"),
        (b"a: 1\nb: \xff", "sidecar.yaml:2: not UTF-8 text; save the file as UTF-8"),
        (b"a: \x00", "sidecar.yaml: a character that YAML does not allow; is this a text file?"),
        (b"a: " + b"x" * file.MAX_FILE_BYTES,
         "sidecar.yaml: larger than 256 KiB; is this the right file?"),
        (b"[" * 5000, "sidecar.yaml: nested too deeply; 20 levels are plenty"),
        (b"a: &a [*a]", "sidecar.yaml: nested too deeply; 20 levels are plenty"),
        (b"a: " + b"{a: " * 30 + b"}" * 30, "sidecar.yaml: nested too deeply; 20 levels are plenty"),
        (b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(98, 106)),
         "sidecar.yaml: more than 20000 values once aliases are expanded"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_at_all_is_one_sentence(data, sentence, tmp_path):
    path = tmp_path / "sidecar.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        config.load(str(path), {}, {})
    assert str(caught.value).replace(f"{tmp_path}{os.sep}", "") == sentence


def test_a_directory_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        config.load(str(tmp_path), {}, {})


def test_every_problem_is_reported_at_once_each_where_it_was_said(tmp_path):
    env = {"SIDECAR_DRAIN__GRACE": "5", "SIDECAR_SLOS__LATENCY__OBJECTIVE": "0.95"}
    found = problems("workers: 0\nslos: {latency: {threshold: 1}}\nzzz: 1\nzzz: 1", tmp_path, env, listen="1")
    assert sorted(found) == [
        "--listen: 1 is not an address; give the host too, such as 127.0.0.1:1",
        "SIDECAR_DRAIN__GRACE: 5 has no unit; give 5s or 5ms",
        "SIDECAR_SLOS__LATENCY__OBJECTIVE: 0.95 looks like a share; give a percentage such as 95",
        "sidecar.yaml: slos.latency.threshold: 1 has no unit; give 1s or 1ms",
        "sidecar.yaml: workers: 0 is not allowed; give a number of processes from 1 to 64",
        "sidecar.yaml: zzz: given twice (lines 3 and 4); keep one",
        "sidecar.yaml: zzz: no such key; keys here are reference, features, features_from, segments, "
        "slos, drift, quality, payload, listen, upstream, routes, admin, …",
    ]


@pytest.mark.parametrize("text", ["# nothing yet\n", "---\n", "slos:\nfeatures:\n  age:\nupstream: ~\n"])
def test_an_empty_file_and_empty_sections_mean_the_defaults(text, tmp_path):
    read = load(text, tmp_path=tmp_path)
    assert (read.listen, read.admin) == (Address("0.0.0.0", 18080), Address("0.0.0.0", 19464))
    assert read.resolved_routes() == []
    assert read.policies().default.objectives == DEFAULT_OBJECTIVES


def test_flags_win_over_the_environment_and_the_environment_over_the_file(tmp_path):
    text = "upstream: file:1\nlisten: file:2\nadmin: file:3\n"
    env = {"SIDECAR_UPSTREAM": "env:1", "SIDECAR_LISTEN": "env:2"}
    read = load(text, env, tmp_path, upstream="flag:1")
    assert [str(a) for a in (read.upstream, read.listen, read.admin)] == ["flag:1", "env:2", "file:3"]


def test_every_key_can_be_given_by_a_variable():
    for key in config_problems.all_keys():
        if "<" not in key and "[" not in key:
            path = tuple(key.split("."))
            assert config_problems.allowed(path) is not None, key
    read = load(
        env={
            "SIDECAR_UPSTREAM": "[::1]:8000",
            "SIDECAR_SLOS__LATENCY": "{objective: 95, threshold: 200ms}",
            "SIDECAR_FEATURES__REGION__VALUES": "[n, s]",
            "SIDECAR_WORKERS": "",
        }
    )
    assert read.upstream == Address("::1", 8000)
    assert Objective("latency", Decimal(95), 0.2) in read.policies().default.objectives
    assert read.policies().default.expectations["region"].values == ("n", "s")
    assert read.workers == 1


def test_a_variable_for_a_model_finds_it_in_any_case(tmp_path):
    read = load("models: {Fraud-EU: {owner: a}, x: {}}", {"SIDECAR_MODELS__FRAUD-EU__OWNER": "b"}, tmp_path)
    assert read.policies().of("Fraud-EU").owner == "b"
    assert list(read.models) == ["Fraud-EU", "x"]


def test_unknown_variables_only_warn():
    env = {
        "SIDECAR_PORT": "tcp://10.0.0.1:80",
        "SIDECAR_SLOS__NOPE": "1",
        "SIDECAR_CONFIG": "x",
        "OTHER": "1",
    }
    assert load(env=env).warnings == ("there is no such setting: SIDECAR_PORT, SIDECAR_SLOS__NOPE (ignored)",)


def test_settings_survive_the_journey_to_another_process(tmp_path):
    sent = load(EVERYTHING, tmp_path=tmp_path)
    received = Settings.model_validate_json(sent.model_dump_json())
    assert received == sent
    assert received.policies() == sent.policies()
    assert received.resolved_routes() == [Route(Address("127.0.0.1", 18080), Address(path="/run/model.sock"))]


PAYLOAD = """
payload: {rows: data.rows, features: [age, income], predictions: "result[].score"}
models:
  fraud: {payload: {paths: [/fraud/*], id: meta.id, features: columns}}
  churn: {owner: team}
  "*": {payload: {version: meta.version}}
"""


def test_a_payload_is_a_rule_and_that_of_a_model_is_laid_over_that_of_all(tmp_path):
    read = Settings.model_validate_json(load(PAYLOAD, tmp_path=tmp_path).model_dump_json())
    general = PayloadRule(
        rows="data.rows", features=("age", "income"), predictions="result[].score", version="meta.version"
    )
    fraud = replace(general, paths=("/fraud/*",), id="meta.id", features="columns", for_model="fraud")
    assert read.payload_rules() == (fraud, general)
    assert load().payload_rules() == ()
    assert load(env={"SIDECAR_PAYLOAD__ROWS": "x"}).payload_rules() == (PayloadRule(rows="x"),)


def test_the_defaults_survive_the_journey_too():
    assert Settings.model_validate_json(load().model_dump_json()) == load()


def test_scalars_are_what_the_user_wrote(tmp_path):
    read = load(EVERYTHING, tmp_path=tmp_path)
    assert read.policies().model == ModelRef("churn", "3.10")
    assert read.policies().default.expectations["region"] == Expectation(
        ColumnType.CATEGORY, values=("n", "s", "no", "1")
    )
    assert (read.drain.deadline, read.connect_timeout) == (90.0, 0.5)


def test_a_model_inherits_what_it_does_not_say(tmp_path):
    policies = load(EVERYTHING, tmp_path=tmp_path).policies()
    fraud, other = policies.of("fraud"), policies.of("anything")
    assert (fraud.owner, fraud.reference, fraud.drift_page) == ("fraud-ml", "/fraud.json", True)
    every = 365.25 * 86400 / 2
    assert [(p.drift_seconds_per_page, p.drift_replicas) for p in (fraud, other)] == [(every, 3)] * 2
    assert (other.owner, other.reference, other.drift_page) == (
        "platform",
        "/etc/sidecar/reference.json",
        False,
    )
    assert fraud.runbook == other.runbook == "https://wiki.example/churn"
    assert (fraud.approved_versions, other.approved_versions) == (("3", "4.10"), None)
    assert fraud.expectations == other.expectations
    tenant, region = Segment("tenant", header="x-tenant", limit=5), Segment("region", feature="region")
    assert fraud.segments == other.segments == (tenant, region)
    assert policies.headers() == {"x-tenant"}
    objectives = {o.slo: o.objective for o in fraud.objectives}
    assert objectives == {
        "availability": 99,
        "feature_availability": Decimal("99.9"),
        "latency": 95,
        "prediction_validity": 99,
    }


def test_the_type_of_a_feature_is_implied_by_what_is_said_of_it(tmp_path):
    text = "features: {a: {min: 0}, b: {values: [x]}, c: {max_age: 1h}, d: {required: true}}"
    expected = load(text, tmp_path=tmp_path).policies().default.expectations
    assert [expected[name].type for name in "abcd"] == ["number", "category", "timestamp", None]


@pytest.mark.parametrize("text", [
    "slos: {freshness: {objective: 99}}\nmodels: {a: {features: {t: {max_age: 5m}}}}",
    "models: {a: {slos: {freshness: {objective: 99}}}}\nfeatures: {t: {max_age: 5m}}",
    "models: {'*': {slos: {freshness: {objective: 99}}, features: {t: {max_age: 5m}}}}",
    "quality: {threshold: 1}",
    "quality: {threshold: -2.5, task: classification}",
    "quality: {task: classification}\nmodels: {a: {quality: {threshold: 3}}}",
])  # fmt: skip
def test_how_a_model_is_judged_may_be_said_in_two_places(text, tmp_path):
    load(text, tmp_path=tmp_path)


def of_state(directory: Path) -> list[str]:
    """What is warned of with such a `state.dir`."""
    env = {"SIDECAR_STATE__DIR": str(directory)}
    assert not config.load(None, env, {}).warnings, "a relay keeps nothing"
    return list(config.load(None, env, {}, reference=lambda path: None).warnings)


def test_a_directory_in_which_nothing_can_be_kept_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    assert of_state(tmp_path) == []
    assert of_state(tmp_path / "new" / "state") == [
        f"SIDECAR_STATE__DIR: no directory at {tmp_path}/new/state; it is made when the sidecar starts"
    ]
    for path in (tmp_path / "file", tmp_path / "file" / "state"):
        assert of_state(path) == [
            f"SIDECAR_STATE__DIR: {tmp_path}/file is no directory; nothing would survive a restart"
        ]


def test_a_directory_that_belongs_to_others_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever runs this may be root
    assert of_state(tmp_path) == [
        f"SIDECAR_STATE__DIR: {tmp_path} cannot be written to by this user (uid {os.geteuid()}); "
        "nothing would survive a restart"
    ]
    assert "state cannot be made by this user" in of_state(tmp_path / "state")[0]


def test_paths_in_the_file_are_relative_to_the_file_and_others_are_not(tmp_path):
    text = "reference: r.json\nmodels: {fraud: {reference: /f.json}}"
    read = load(text, {"SIDECAR_MODELS__X__REFERENCE": "x.json"}, tmp_path)
    assert read.reference == str(tmp_path / "r.json")
    assert [m.reference for m in read.models.values()] == ["/f.json", "x.json"]


def test_references_are_looked_at_only_where_they_are_needed(tmp_path):
    def unusable(path: str) -> None:
        raise UsageError(f"{path}: not a reference")

    flags = {"reference": str(tmp_path / "gone.json")}
    assert config.load(None, {}, flags).reference == flags["reference"]
    with pytest.raises(ConfigError) as caught:
        config.load(None, {}, flags, reference=unusable)
    assert str(caught.value).startswith("--reference: no file at ")
    (tmp_path / "gone.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"--reference: .*: not a reference"):
        config.load(None, {}, flags, reference=unusable)


def test_a_missing_upstream_is_a_problem_only_where_one_is_needed():
    assert load().resolved_routes() == []
    with pytest.raises(ConfigError) as caught:
        config.load(None, {}, {}, upstream=True)
    assert caught.value.problems == ["upstream: missing; say where the model server is: --upstream host:port"]


KEYS = sorted({key.split(".")[-1] for key in config_problems.all_keys()})
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(
        ["127.0.0.1:80", "5s", "99.9", "number", "*", "unix:/a", "true"]
    ),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(
        st.sampled_from([*KEYS, "tls", "<<", "*", "", "0"])
        | st.text(max_size=8), below, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


def outcome(text: str) -> Settings | list[str]:
    """What a file with this text comes to. Anything but settings and sentences is a fault of ours."""
    try:
        tree, found = file.parse(text, "sidecar.yaml")
        env = {"SIDECAR_SLOS__LATENCY__OBJECTIVE": "9", "SIDECAR_MODELS__A__OWNER": "o"}
        layers = _Layers("sidecar.yaml")
        layers.tree, layers.problems = tree, found
        layers.add_environment(env)
        return _settle(layers, upstream=True, reference=lambda path: None)
    except ConfigError as error:
        return error.problems


@given(TREES)
@example({"reference": "\x1f"})
@settings(max_examples=150, deadline=None)
def test_any_tree_is_settings_or_printable_sentences(tree):
    result = outcome(yaml.safe_dump(tree))
    if isinstance(result, list):
        assert result
        assert all(sentence.isprintable() for sentence in result)
    else:
        assert Settings.model_validate_json(result.model_dump_json()) == result


@given(
    st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@`,?\n\t \\0\x85"), max_size=60)
    | st.text(max_size=60)
)
@example("a: &x\n  b: *x\n")
@example("? - a\n: b")
@example("!!binary x: 1")
@settings(max_examples=300, deadline=None)
def test_any_text_is_settings_or_printable_sentences(text):
    result = outcome(text)
    if isinstance(result, list):
        assert all(sentence.isprintable() for sentence in result)
