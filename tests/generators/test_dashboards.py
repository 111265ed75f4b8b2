"""The rules of Grafana's dashboard linter, and what our own dashboards promise beyond them."""

import builtins
import json
import re
import sys

import pytest

from sidecar.errors import UsageError
from sidecar.generators import dashboards, files
from sidecar.generators.boards import columns
from tests.generators import promql
from tests.generators.tools import ROOT

TEXTS = dashboards.generate()
BOARDS = {name: json.loads(text) for name, text in TEXTS.items()}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Grafana's ids of the units we use; a misspelt one is shown as a plain suffix.
UNITS = {"none", "percentunit", "s", "bytes", "Bps", "reqps", "cps", "ops", "dateTimeFromNow"}
# Over which windows a panel may look back besides the chosen range and Grafana's own interval: budgets and
# incidents are promised for a month, and a model is in use that was asked within a day.
FIXED_WINDOWS = {"30d", "1d", "30d:1m"}
# What the linter would want and we leave out: an `instance` variable. Pages are about models; the panels
# about single replicas show every one of them by name.
# These mean something for one model only: features of several cannot be put side by side.
OF_ONE_MODEL = {"inference-model", "inference-versions"}
UIDS = {
    "inference-fleet", "inference-on-call", "inference-model", "inference-executive", "inference-llm",
    "inference-versions", "inference-sidecar",
}  # fmt: skip


def panels():
    return [panel for board in BOARDS.values() for panel in board["panels"] if panel["type"] != "row"]


def expressions():
    targets = [target["expr"] for panel in panels() for target in panel["targets"]]
    return targets + [a["expr"] for board in BOARDS.values() for a in board["annotations"]["list"]]


def variables(board):
    return {variable["name"]: variable for variable in board["templating"]["list"]}


each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
each_panel = pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])


def test_there_is_a_dashboard_for_each_question():
    assert {board["uid"] for board in BOARDS.values()} == UIDS
    assert set(BOARDS) == {f"{uid}.json" for uid in UIDS}
    assert len({board["title"] for board in BOARDS.values()}) == len(BOARDS)


def test_the_committed_dashboards_are_what_the_generator_writes():
    assert files.differences(ROOT / "dashboards", TEXTS) == [], "run `make gen` and commit the result"
    assert {path.name for path in (ROOT / "dashboards").glob("*.json")} == set(TEXTS)


def test_without_the_library_one_sentence_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("grafana_foundation_sdk"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    for module in [
        m for m in sys.modules if m.startswith(("grafana_foundation_sdk", "sidecar.generators.boards"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(UsageError, match=r"pip install 'inference-sidecar\[dashboards\]'"):
        dashboards.generate()


@each_board
def test_a_dashboard_can_be_linked_to_and_not_edited_by_accident(board):
    assert board["uid"] and re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"])
    assert board["editable"] is False
    assert board["schemaVersion"] >= 36
    assert "inference" in board["tags"]
    assert board["title"] and board["description"]


@each_board
def test_the_data_source_is_a_variable(board):
    source = variables(board)["datasource"]

    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    assert len([v for v in board["templating"]["list"] if v["type"] == "datasource"]) == 1


@each_board
def test_namespaces_jobs_and_models_can_be_chosen(board):
    for name, every in {"cluster": ".*", "namespace": ".*", "job": ".+", "model": ".+"}.items():
        variable = variables(board)[name]
        several = name != "model" or board["uid"] not in OF_ONE_MODEL

        assert (variable["multi"], variable["includeAll"]) == (several, several)
        assert not several or variable["allValue"] == every
        assert variable["label"].lower() == name


@each_board
def test_every_variable_is_asked_anew_of_the_chosen_data_source(board):
    queries = [v for v in board["templating"]["list"] if v["type"] == "query"]
    for variable in queries:
        assert variable["refresh"] == 2
        assert variable["datasource"] == DATASOURCE
        selector = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert selector is not None
        assert [p for p in promql.problems(f"count({selector[1]})") if "counter" not in p] == []
        assert variable["name"] in ("cluster", "namespace") or 'namespace=~"$namespace"' in selector[1]
        assert variable["name"] == "cluster" or 'cluster=~"$cluster"' in selector[1]


@each_board
def test_every_variable_that_is_used_exists_and_the_other_way_round(board):
    text = json.dumps(board["panels"])
    known = set(variables(board))
    used = set(re.findall(r"\$(\w+)", text)) | set(re.findall(r"\$\{(\w+)[}:]", text))

    assert used - known <= {"__rate_interval", "__range", "__url_time_range", "__value", "__data", "1"}
    assert known - used == set()


@each_board
def test_every_panel_has_an_id_of_its_own_and_its_own_place(board):
    ids = [panel["id"] for panel in board["panels"]]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(ids)) == len(ids)
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


@each_board
def test_alerts_and_new_versions_are_marked_and_runbooks_linked(board):
    assert {a["name"] for a in board["annotations"]["list"]} == {"Alerts", "New version", "Drift began"}
    assert all(a["datasource"] == DATASOURCE for a in board["annotations"]["list"])
    assert any("docs/runbooks" in link.get("url", "") for link in board["links"])


@each_board
def test_drift_is_marked_where_the_change_began_not_where_the_verdict_fell(board):
    """Grafana takes the value as the time only where it is told to."""
    by_value = {a["name"] for a in board["annotations"]["list"] if a.get("useValueForTime")}

    assert by_value == {"Drift began"}


def test_models_of_one_name_in_two_namespaces_are_two_rows():
    [table] = [panel for panel in BOARDS["inference-fleet.json"]["panels"] if panel["title"] == "Models"]
    links = {
        o["matcher"]["options"]: p["value"][0]["url"]
        for o in table["fieldConfig"]["overrides"]
        for p in o["properties"]
        if p["id"] == "links"
    }

    for target in table["targets"]:
        assert promql.kept(target["expr"]) - {"le"} == {"model_name", "namespace", "cluster"}
    assert set(links) == {"model_name", "namespace"}
    assert "var-namespace=${__value.raw}&" in links["namespace"]
    assert "var-model=${__data.fields.model_name}&" in links["namespace"]


@each_board
def test_every_dashboard_leads_to_the_others_and_keeps_what_was_chosen(board):
    [menu] = [link for link in board["links"] if link["type"] == "dashboards"]

    assert menu["includeVars"] and menu["keepTime"]
    assert set(menu["tags"]) <= set(board["tags"])


def test_a_link_to_a_dashboard_leads_to_one_that_exists():
    links = re.findall(r'"/d/([^?"]+)', "".join(TEXTS.values()))

    assert links
    assert set(links) <= UIDS


@each_panel
def test_every_panel_says_what_it_shows(panel):
    assert panel["title"]
    assert len(panel["description"]) > 20
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS


@each_panel
def test_every_panel_asks_the_chosen_data_source(panel):
    assert panel["targets"]
    assert panel["datasource"] == DATASOURCE
    assert all(target["datasource"] == DATASOURCE for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@each_panel
def test_every_graph_has_a_legend_that_names_its_series(panel):
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"] is True
        assert all(target["legendFormat"] != "__auto" for target in panel["targets"])


@each_panel
def test_a_panel_links_only_to_runbooks_that_exist(panel):
    for link in panel.get("links", []):
        assert (ROOT / "docs" / "runbooks" / link["url"].rpartition("/")[2]).is_file()


@pytest.mark.parametrize("expr", expressions())
def test_every_query_uses_only_what_the_catalogue_knows(expr):
    assert promql.problems(expr) == []


@pytest.mark.parametrize("expr", expressions())
def test_every_query_keeps_to_the_chosen_namespace_job_and_model(expr):
    for selector in re.findall(r"[a-z_A-Z]+\{[^}]*\}", expr):
        assert 'cluster=~"$cluster",namespace=~"$namespace",job=~"$job"' in selector
        if selector.startswith("inference_"):
            assert 'model_name=~"$model"' in selector
    assert len(re.findall(r"\{", expr)) >= 1


@pytest.mark.parametrize("expr", expressions())
def test_every_counter_is_added_up_over_replicas(expr):
    """One series for each replica makes a graph that nobody reads and that a rollout breaks."""
    for node in promql.walk(promql.parse(expr), promql.parser.Call):
        if node.func.name in ("rate", "increase"):
            assert re.search(r"(sum|count)( by \([^)]*\))? ?\(" + re.escape(node.func.name), expr)


@pytest.mark.parametrize("expr", expressions())
def test_every_rate_is_taken_over_the_interval_that_grafana_knows_to_be_long_enough(expr):
    windows = set(re.findall(r"\[([0-9$:a-z_]+)\]", expr))

    assert windows <= {"$__rate_interval", "$__range"} | FIXED_WINDOWS
    # Only where a time is promised: budgets, incidents and use are the executive's.
    executive = [
        t["expr"] for p in BOARDS["inference-executive.json"]["panels"] for t in p.get("targets", ())
    ]
    assert expr in executive or not windows & FIXED_WINDOWS


def test_quantiles_of_latency_show_the_traces_behind_them():
    graphs = [panel for panel in panels() if panel["type"] == "timeseries"]
    latencies = [t for panel in graphs for t in panel["targets"] if "histogram_quantile" in t["expr"]]

    assert latencies
    assert all(target["exemplar"] is True for target in latencies)


def test_legends_name_only_labels_that_the_query_keeps():
    for panel in panels():
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = {
                x for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for x in group.split(", ")
            }
            assert named <= grouped, panel["title"]


def test_the_first_screen_answers_what_is_broken():
    board = BOARDS["inference-on-call.json"]
    first_screen = {panel["title"] for panel in board["panels"] if panel["gridPos"]["y"] < 13}

    assert {"Availability burn", "Latency burn", "Feature availability burn", "Alerts firing"} <= first_screen


def tables():
    return [panel for panel in panels() if panel["type"] in ("table", "barchart")]


@pytest.mark.parametrize("panel", tables(), ids=lambda panel: panel["title"])
def test_tables_ask_for_the_present_as_tables_and_show_no_time(panel):
    assert all(target["instant"] and target["format"] == "table" for target in panel["targets"])
    organize = next(t for t in panel["transformations"] if t["id"] == "organize")

    assert organize["options"]["excludeByName"]["Time"] is True


@pytest.mark.parametrize("panel", tables(), ids=lambda panel: panel["title"])
def test_every_query_of_a_table_has_a_column_with_a_name_for_people(panel):
    if len(panel["targets"]) > 1:
        organize = next(t for t in panel["transformations"] if t["id"] == "organize")
        names = organize["options"]["renameByName"]

        assert set(names) == {f"Value #{target['refId']}" for target in panel["targets"]}
        assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("panel", tables(), ids=lambda panel: panel["title"])
def test_the_queries_of_a_table_keep_the_same_labels_so_that_rows_meet(panel):
    labels = [promql.kept(target["expr"]) - {"le"} for target in panel["targets"]]

    assert all(kept == labels[0] for kept in labels) or panel["type"] == "barchart"


@pytest.mark.parametrize(
    ("bin_", "order"),
    [
        ("<=-2.336", "-2.336"), ("-2.336..-2.254", "-2.254"), ("0.5..0.6", "0.6"), (">2.105", "1e99"),
        ("1e-05..2e+06", "2e+06"), ("sky", ""), ("__null__", ""),
    ],
)  # fmt: skip
def test_bins_are_sorted_by_their_upper_bound(bin_, order):
    """As Prometheus' label_replace does it: the pattern is anchored at both ends."""
    found = ""
    for pattern, to in re.findall(r'"order", "([^"]*)", "bin", "([^"]*)"', columns.ordered("x"))[::1]:
        if match := re.fullmatch(to, bin_):
            found = match.expand(pattern.replace("$1", r"\1"))

    assert found == order


@each_board
def test_no_two_panels_of_a_dashboard_have_the_same_title(board):
    titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]

    assert len(set(titles)) == len(titles)
