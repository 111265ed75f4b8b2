from pathlib import Path

import pytest

from sidecar import config
from sidecar.config import Settings
from sidecar.errors import ConfigError
from sidecar.exporters.records import RecordRules
from sidecar.exporters.redaction import Rule, RuleKind
from tests.config.test_load import load, problems

EVERYTHING = """
upstream: 127.0.0.1:1
otlp:
  endpoint: http://collector:4317
  traces: {ratio: 0.05}
  logs:
    ratio: 0.001
    rows: 3
    features: {age: {bucket: [18, 30.5]}, region: keep, customer: Hash}
    outputs: {score: keep, note: mask}
    salt_file: salt
"""


def test_everything_is_read_and_reaches_the_observer_as_it_is(tmp_path: Path):
    settings = load(EVERYTHING, {}, tmp_path)

    assert settings.otlp.traces.ratio == 0.05
    assert settings.otlp.logs.salt_file == str(tmp_path / "salt")
    rules = settings.otlp.logs.rules()
    assert rules == RecordRules(
        0.001,
        3,
        {
            "age": Rule(RuleKind.BUCKET, (18.0, 30.5)),
            "region": Rule(RuleKind.KEEP),
            "customer": Rule(RuleKind.HASH),
        },
        {"score": Rule(RuleKind.KEEP), "note": Rule(RuleKind.MASK)},
    )
    assert Settings.model_validate_json(settings.model_dump_json()).otlp == settings.otlp


def test_nothing_is_recorded_and_there_are_no_spans_unless_it_is_said(tmp_path: Path):
    settings = load("otlp: {endpoint: 'http://c:4317'}", {}, tmp_path)

    assert settings.otlp.logs.rules() is None
    assert settings.otlp.traces.ratio is None


def test_a_share_of_zero_records_nothing(tmp_path: Path):
    assert load("otlp: {logs: {ratio: 0, features: {age: keep}}}", {}, tmp_path).otlp.logs.rules() is None


def test_variables_set_them_too():
    env = {"SIDECAR_OTLP__TRACES__RATIO": "0.5", "SIDECAR_OTLP__LOGS": "{ratio: 1, features: {age: mask}}"}

    otlp = load(env=env).otlp

    assert otlp.traces.ratio == 0.5
    assert otlp.logs.features == {"age": Rule(RuleKind.MASK)}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("traces: {ratio: 5}", "otlp.traces.ratio: 5 is not allowed; give a share from 0 to 1, such as 0.01"),
        ("traces: {sampler: x}", "otlp.traces.sampler: no such key; the only key here is ratio"),
        (
            "logs: {ratio: 0.1}",
            "otlp.logs.features: missing; say what may leave, such as {age: {bucket: [30, 50]}}",
        ),
        (
            "logs: {features: {age: keep}}",
            "otlp.logs.ratio: missing; give the share of exchanges to record, such as 0.001",
        ),
        (
            "logs: {ratio: 1, outputs: {id: hash}}",
            "otlp.logs.salt_file: missing; hash needs a secret key, in a file",
        ),
        (
            "logs: {ratio: 1, features: {age: encrypt}}",
            "otlp.logs.features.age: encrypt is not allowed; give keep, mask, hash or {bucket: [30, 50]}",
        ),
        (
            "logs: {ratio: 1, features: {age: {bucket: []}}}",
            "otlp.logs.features.age: a list is not allowed; give a list of 1 to 50 numbers that go up",
        ),
        (
            "logs: {ratio: 1, features: {age: {bucket: [50, 30]}}}",
            "otlp.logs.features.age: the bounds of buckets must go up, such as [30, 50]",
        ),
        (
            "logs: {ratio: 1, features: {age: {buckets: [1]}}}",
            "otlp.logs.features.age: a mapping is not allowed; give keep, mask, hash or {bucket: [30, 50]}",
        ),
        (
            "logs: {ratio: 1, rows: 0, features: {a: keep}}",
            "otlp.logs.rows: 0 is not allowed; give a number of rows from 1 to 100",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(said, sentence, tmp_path: Path):
    assert problems(f"otlp: {{{said}}}", tmp_path) == [f"sidecar.yaml: {sentence}"]


def test_a_key_that_is_not_there_or_too_short_is_found_before_anything_starts(tmp_path: Path):
    path, salt = tmp_path / "sidecar.yaml", tmp_path / "salt"
    path.write_text(EVERYTHING)

    with pytest.raises(ConfigError, match=r"otlp\.logs\.salt_file: cannot be read"):
        config.load(str(path), {}, {}, upstream=True)
    salt.write_text("hunter2")
    with pytest.raises(ConfigError, match="too short; give at least 16 random bytes") as caught:
        config.load(str(path), {}, {}, upstream=True)
    assert "hunter2" not in str(caught.value)
    salt.write_text("0123456789abcdef")
    assert config.load(str(path), {}, {}, upstream=True)


HOW = """
otlp:
  endpoint: http://collector:4317
  protocol: http/protobuf
  headers: {X-Scope-OrgID: ml}
  headers_file: secret/headers
  timeout: 5s
  interval: 30s
  compression: gzip
"""


def test_how_it_is_sent_is_read_too_and_a_file_of_headers_is_beside_the_configuration(tmp_path: Path):
    otlp = load(HOW, {}, tmp_path).otlp

    assert (otlp.protocol, otlp.compression) == ("http/protobuf", "gzip")
    assert (otlp.timeout, otlp.interval) == (5.0, 30.0)
    assert otlp.headers == {"x-scope-orgid": "ml"}
    assert otlp.headers_file == str(tmp_path / "secret" / "headers")
    settings = load(HOW, {}, tmp_path)
    assert Settings.model_validate_json(settings.model_dump_json()).otlp == otlp


def test_variables_win_over_the_file_for_each_of_them(tmp_path: Path):
    env = {
        "SIDECAR_OTLP__PROTOCOL": "grpc",
        "SIDECAR_OTLP__HEADERS": "{x-scope-orgid: other}",
        "SIDECAR_OTLP__HEADERS_FILE": "/run/secrets/otlp",
        "SIDECAR_OTLP__TIMEOUT": "1s",
        "SIDECAR_OTLP__INTERVAL": "10s",
        "SIDECAR_OTLP__COMPRESSION": "none",
    }

    otlp = load(HOW, env, tmp_path).otlp

    assert (otlp.protocol, otlp.compression, otlp.timeout, otlp.interval) == ("grpc", "none", 1.0, 10.0)
    assert (otlp.headers, otlp.headers_file) == ({"x-scope-orgid": "other"}, "/run/secrets/otlp")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("protocol: http/json", "otlp.protocol: http/json is not allowed; give grpc or http/protobuf"),
        ("timeout: 500", "otlp.timeout: 500 has no unit; give 500s or 500ms"),
        ("interval: 10ms", "otlp.interval: 10ms is not allowed; give a duration from 1s to 1h"),
        ("compression: zstd", "otlp.compression: zstd is not allowed; give none, gzip or deflate"),
        (
            "protocol: grpc, compression: deflate",
            "otlp.compression: deflate is not allowed with grpc; give gzip",
        ),
        (
            'headers: {authorization: "hunter2\\n\\x01"}',
            "otlp.headers.authorization: the value is not allowed; give printable ASCII text",
        ),
    ],
)
def test_a_mistake_in_how_it_is_sent_is_a_sentence_without_a_secret(said, sentence, tmp_path: Path):
    assert problems(f"otlp: {{{said}}}", tmp_path) == [f"sidecar.yaml: {sentence}"]


def test_a_file_of_headers_is_checked_before_anything_starts(tmp_path: Path):
    path, secret = tmp_path / "sidecar.yaml", tmp_path / "secret" / "headers"
    path.write_text(f"upstream: 127.0.0.1:1{HOW}")

    with pytest.raises(ConfigError, match=r"otlp\.headers_file: cannot be read"):
        config.load(str(path), {}, {}, upstream=True)
    secret.parent.mkdir()
    secret.write_text("# from the vault\nauthorization Bearer hunter2\n")
    with pytest.raises(ConfigError, match="line 2 is no header; give a line such as") as caught:
        config.load(str(path), {}, {}, upstream=True)
    assert "hunter2" not in str(caught.value)
    secret.write_text("Authorization: Bearer hunter2\n\n")
    assert config.load(str(path), {}, {}, upstream=True)
