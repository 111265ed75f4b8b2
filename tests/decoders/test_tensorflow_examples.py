import pytest

from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf import Reader
from sidecar.decoders.tensorflow_examples import of_classifications, of_regressions, rows_of
from sidecar.inference import MISSING, Undecoded
from tests.decoders.protobuf_encoder import bytes_field, float_field, packed, unpacked
from tests.decoders.reading import table


def example(**features: bytes) -> bytes:
    entries = (bytes_field(1, bytes_field(1, name) + bytes_field(2, one)) for name, one in features.items())
    return bytes_field(1, b"".join(entries))


def texts(*values: str | bytes) -> bytes:
    return bytes_field(1, b"".join(bytes_field(1, value) for value in values))


def floats(*values: float) -> bytes:
    return bytes_field(2, packed(1, "float", values))


def integers(*values: int) -> bytes:
    return bytes_field(3, packed(1, "int64", values))


def listed(*examples: bytes, context: bytes = b"") -> bytes:
    inner = b"".join(bytes_field(1, one) for one in examples)
    return bytes_field(2, inner + bytes_field(2, context)) if context else bytes_field(1, inner)


def rows(given: bytes):
    count, found = rows_of(Reader().read(given))
    return count, table(found)


def test_examples_are_rows_and_several_values_are_columns():
    given = listed(
        example(age=integers(31), city=texts("Bern"), v=floats(0.5, 0.25)),
        example(age=integers(45), city=texts(b"\xff"), v=floats(1, 2)),
    )
    assert rows(given) == (
        2,
        {"age": [31, 45], "city": ["Bern", "<binary>"], "v[0]": [0.5, 1.0], "v[1]": [0.25, 2.0]},
    )


def test_a_feature_that_an_example_does_not_have_or_leaves_empty_is_missing():
    given = listed(example(a=integers(1), b=floats()), example(b=floats(2)))
    assert rows(given) == (2, {"a": [1, MISSING], "b": [MISSING, 2.0]})


def test_one_value_is_the_same_packed_or_not():
    for encoder in (packed, unpacked):
        given = listed(
            example(x=bytes_field(2, encoder(1, "float", [0.5])), n=bytes_field(3, encoder(1, "int64", [-7])))
        )
        assert rows(given) == (1, {"x": [0.5], "n": [-7]})


def test_features_of_the_context_are_in_every_example():
    given = listed(
        example(a=integers(1)), example(a=integers(2), c=integers(9)), context=example(c=integers(7))
    )
    assert rows(given) == (2, {"c": [7, 9], "a": [1, 2]})


def test_lists_of_changing_length_stay_lists():
    assert rows(listed(example(v=integers(1, 2)), example(v=integers(3)))) == (2, {"v": [[1, 2], 3]})


def test_no_examples_are_no_rows_and_too_many_cells_are_too_wide():
    wide = example(**{f"f{i}": integers(i) for i in range(900)})
    for given, reason in (
        (b"", Undecoded.NO_ROWS),
        (listed(*[b""] * 2_000, context=wide), Undecoded.TOO_WIDE),
        (listed(example(v=floats(*range(1_001)), w=integers(1))), None),
    ):
        if reason is None:
            assert list(rows(given)[1])[-1] == "w"
            continue
        with pytest.raises(Undecodable) as raised:
            rows(given)
        assert raised.value.reason is reason


def test_the_best_class_of_each_example_and_its_score_are_the_outputs():
    def one(label, score):
        return bytes_field(1, bytes_field(1, label) + float_field(2, score))

    result = bytes_field(1, one("a", 0.25) + one("b", 0.75)) + bytes_field(1, one("", 0.5) + one("", 0.25))
    assert table(of_classifications(Reader().read(result))) == {"label": ["b", "0"], "score": [0.75, 0.5]}


def test_an_example_without_classes_has_no_answer():
    with pytest.raises(Undecodable) as raised:
        of_classifications(Reader().read(bytes_field(1, b"")))
    assert raised.value.reason is Undecoded.SHAPE


def test_a_value_of_zero_is_left_out_on_the_wire_and_is_zero():
    result = bytes_field(1, float_field(1, 1.5)) + bytes_field(1, b"")
    assert table(of_regressions(Reader().read(result))) == {"prediction": [1.5, 0.0]}
