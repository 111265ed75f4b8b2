from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sidecar.exchange import Outcome
from sidecar.exporters.otlp_records import encode
from sidecar.exporters.records import Record, RecordRules, Records
from sidecar.exporters.redaction import Redactor, Rule, RuleKind
from sidecar.inference import Undecoded
from tests.fakes import exchange, inference

KEEP, MASK = Rule(RuleKind.KEEP), Rule(RuleKind.MASK)
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def records_of(asked, meant, *, ratio=1.0, rows=10, features=None, outputs=None, chance=0.5) -> list[Record]:
    found: list[Record] = []
    rules = RecordRules(ratio, rows, features or {}, outputs or {})
    Records(rules, Redactor(), found.append, lambda: chance, lambda moment: moment + 1_000).observe(
        asked, meant
    )
    return found


def test_a_record_holds_the_fields_that_a_rule_names_and_no_other():
    meant = inference(age=[41, 17], name=["Alice", "Bob"], secret=["x", "y"], outputs={"score": [0.5, 0.75]})

    first, second = records_of(
        exchange(at=100.0, duration=1.0), meant, features={"age": KEEP, "name": MASK}, outputs={"score": KEEP}
    )

    assert first.time == 1_101.0
    assert first.attributes == {
        "model_name": "m",
        "model_version": "1",
        "inference.protocol": "v2",
        "inference.operation": "predict",
        "inference.outcome": "ok",
        "inference.row": 0,
        "feature.age": 41,
        "feature.name": "[masked]",
        "output.score": 0.5,
    }
    assert (second.attributes["inference.row"], second.attributes["output.score"]) == (1, 0.75)


def test_a_rule_for_a_feature_says_nothing_about_an_output_of_that_name():
    (record,) = records_of(exchange(), inference(x=[1], outputs={"x": [2]}), features={"x": KEEP})

    assert "output.x" not in record.attributes


def test_only_a_share_of_the_exchanges_and_the_first_rows_are_recorded():
    meant = inference(age=[1, 2, 3])

    assert records_of(exchange(), meant, features={"age": KEEP}, ratio=0.5, chance=0.5) == []
    assert len(records_of(exchange(), meant, features={"age": KEEP}, ratio=0.5, chance=0.4, rows=2)) == 2


def test_a_failed_inference_has_features_and_no_outputs():
    (record,) = records_of(
        exchange(outcome=Outcome.SERVER_ERROR),
        inference(age=[1]),
        features={"age": KEEP},
        outputs={"s": KEEP},
    )

    assert record.attributes["inference.outcome"] == "server_error"


def test_what_could_not_be_read_or_was_not_observed_is_not_recorded():
    unread = inference(age=[1])
    unread.undecoded = Undecoded.NOT_JSON

    assert records_of(exchange(), unread, features={"age": KEEP}) == []
    assert records_of(exchange(outcome=Outcome.UNOBSERVED), inference(age=[1]), features={"age": KEEP}) == []


def test_a_record_belongs_to_the_callers_trace():
    asked = exchange(request_headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    (record,) = records_of(asked, inference(age=[1]), features={"age": KEEP})

    request = ExportLogsServiceRequest.FromString(encode([record], {"service.name": "x"}))

    (sent,) = request.resource_logs[0].scope_logs[0].log_records
    assert (sent.trace_id.hex(), sent.span_id.hex()) == (TRACE, PARENT)
    assert (sent.event_name, sent.severity_text) == ("inference.prediction", "INFO")
    assert {a.key: a.value.int_value for a in sent.attributes}["feature.age"] == 1
    assert request.resource_logs[0].resource.attributes[0].value.string_value == "x"
