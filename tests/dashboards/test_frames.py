from tests.dashboards import frames


def series(value: float, **labels: str) -> dict:
    return {"metric": labels, "points": [(0.0, value)]}


def organize(**options) -> dict:
    return {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}} | options}


def panel(*transformations: dict) -> dict:
    return {"targets": [{"refId": "A"}, {"refId": "B"}], "transformations": list(transformations)}


NAMED = organize(renameByName={"Value #A": "now", "Value #B": "reference"})


def test_answers_about_the_same_labels_are_one_row():
    results = {"A": [series(1, bin="x"), series(2, bin="y")], "B": [series(3, bin="y")]}
    rows = frames.table(panel({"id": "merge", "options": {}}, NAMED), results)

    assert rows == [
        {"bin": "x", "now": 1, "reference": None}, {"bin": "y", "now": 2, "reference": 3},
    ]  # fmt: skip


def test_rows_are_sorted_by_a_label_that_is_a_number():
    number = {"id": "convertFieldType", "options": {"conversions": [{"targetField": "order"}]}}
    by = {"id": "sortBy", "options": {"sort": [{"field": "order"}]}}
    results = {
        "A": [series(1, bin="b", order="10"), series(2, bin="a", order="9"), series(3, bin="c")],
        "B": [],
    }
    rows = frames.table(panel(number, by, NAMED), results)

    assert [row["bin"] for row in rows] == ["a", "b", "c"]


def test_the_worst_row_comes_first_and_what_has_no_number_last():
    by = {"id": "sortBy", "options": {"sort": [{"field": "now", "desc": True}]}}
    results = {"A": [series(1, bin="b"), series(2, bin="a")], "B": [series(3, bin="c")]}
    rows = frames.table(panel({"id": "merge", "options": {}}, NAMED, by), results)

    assert [row["bin"] for row in rows] == ["a", "b", "c"]
