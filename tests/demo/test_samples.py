import pytest

from sidecar.demo.samples import Recent, Samples, Window, parse

DURATION = "inference_request_duration_seconds_bucket"


def scrape(time: float, text: str) -> Samples:
    return parse(text, time)


def slo(time: float, good: float, bad: float, objective: float = 0.999) -> Samples:
    return scrape(
        time,
        f'inference_slo_events_total{{slo="availability",result="good"}} {good}\n'
        f'inference_slo_events_total{{slo="availability",result="bad"}} {bad}\n'
        f'inference_slo_objective_ratio{{slo="availability"}} {objective}\n',
    )


def test_families_the_demo_does_not_look_at_are_left_out():
    samples = scrape(
        0, 'inference_rows_total{a="b"} 3\nprocess_cpu_seconds_total 9\ninference_rows_total_x 1\n'
    )

    assert list(samples.families) == ["inference_rows_total"]


def test_comments_and_escaped_label_values_are_read():
    samples = scrape(
        0,
        "# HELP inference_rows_total rows\n# TYPE inference_rows_total counter\n"
        'inference_rows_total{model_name="a\\"b\\\\c"} 3\n',
    )

    assert [labels["model_name"] for labels, _ in samples.matching("inference_rows_total")] == ['a"b\\c']


def test_a_family_that_is_absent_totals_zero():
    assert Samples(0.0).total("inference_rows_total") == 0


def test_totals_add_up_the_samples_that_carry_the_labels():
    samples = scrape(
        0,
        'inference_requests_total{outcome="ok",code="200"} 3\n'
        'inference_requests_total{outcome="ok",code="204"} 4\n'
        'inference_requests_total{outcome="server_error",code="503"} 5\n',
    )

    assert samples.total("inference_requests_total", outcome="ok") == 7
    assert samples.by("outcome", "inference_requests_total") == {"ok": 7, "server_error": 5}


def test_a_counter_that_started_again_counts_from_zero():
    window = Window(scrape(0, "inference_rows_total 100\n"), scrape(2, "inference_rows_total 30\n"))

    assert window.increase("inference_rows_total") == 30
    assert window.rate("inference_rows_total") == 15


def test_a_window_of_one_scrape_has_no_rate():
    samples = scrape(0, "inference_rows_total 100\n")

    assert Window(samples, samples).rate("inference_rows_total") == 0


def test_the_burn_rate_is_the_bad_share_over_the_allowed_share():
    window = Window(slo(0, 100, 0), slo(5, 190, 10))

    assert window.burn("availability") == pytest.approx(100)
    assert window.events("availability") == 100


@pytest.mark.parametrize("objective", [1.0, 1.5])
def test_an_objective_that_allows_nothing_has_no_burn_rate(objective):
    assert Window(slo(0, 0, 0), slo(5, 1, 1, objective)).burn("availability") == 0


def test_an_objective_nobody_exports_does_not_burn():
    assert Window(Samples(0.0), Samples(1.0)).burn("latency") == 0


def buckets(time: float, counts: dict[str, int]) -> Samples:
    return scrape(time, "".join(f'{DURATION}{{le="{le}"}} {count}\n' for le, count in counts.items()))


def test_a_quantile_is_interpolated_inside_its_bucket():
    window = Window(
        buckets(0, {"0.1": 0, "0.2": 0, "+Inf": 0}), buckets(1, {"0.1": 50, "0.2": 100, "+Inf": 100})
    )

    assert window.quantile(0.5, DURATION) == pytest.approx(0.1)
    assert window.quantile(0.75, DURATION) == pytest.approx(0.15)


def test_a_quantile_past_the_last_bucket_is_its_lower_bound():
    window = Window(buckets(0, {"0.1": 0, "+Inf": 0}), buckets(1, {"0.1": 1, "+Inf": 10}))

    assert window.quantile(0.99, DURATION) == pytest.approx(0.1)


def test_nothing_observed_in_the_window_has_no_quantile():
    same = buckets(0, {"0.1": 5, "+Inf": 5})

    assert Window(same, same).quantile(0.5, DURATION) is None
    assert Window(Samples(0.0), Samples(1.0)).quantile(0.5, DURATION) is None


def test_recent_gives_the_window_that_was_asked_for_and_forgets_what_is_old():
    recent = Recent(keep_seconds=10)
    for time in range(60):
        recent.add(Samples(float(time)))

    assert recent.last(3).seconds == 3
    assert recent.last(1000).seconds == 10


def test_recent_gives_what_it_has_when_it_has_less():
    recent = Recent()
    recent.add(Samples(5.0))

    assert recent.last(3).seconds == 0
