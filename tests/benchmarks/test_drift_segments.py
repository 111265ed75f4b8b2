"""The benchmark of drift within segments, in short: the tenant that moves is named, nobody else is."""

from benchmarks import drift_segments
from benchmarks.drift_segments import Run, Tenants


def test_a_tenant_that_moves_is_named_and_the_whole_is_late():
    case = dict(drift_segments.CASES)["one of ten tenants, +1 sd"]
    line = drift_segments.delays("moved", case, 1, 9_000, rows=5_000)
    named, _, whole, _, share, alone, _, others = line.removeprefix("moved").split()
    assert int(named) < 400
    assert whole == "-" or int(whole.replace(",", "")) > 1_000
    assert (share, alone, others) == ("100%", "100%", "0")


def test_dependent_rows_of_each_tenant_are_its_own():
    run = Run(Tenants("own ar.9", 9_000))
    piece, of = run.tenants.draw(2_000)
    own = piece.numbers[of == 3, 0]
    before, after = own[:-1] - own.mean(), own[1:] - own.mean()
    assert (before @ after) / (before @ before) > 0.7
