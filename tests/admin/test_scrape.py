import asyncio
import gzip

import pytest

from sidecar.admin.scrape import Scrapes, accepts_gzip
from sidecar.registry import Snapshot
from tests.exporters.filled import filled_registry


class Source:
    def __init__(self) -> None:
        self.registry = filled_registry()
        self.taken = 0

    def __call__(self) -> Snapshot:
        self.taken += 1
        return self.registry.snapshot()


async def test_scrapers_at_the_same_moment_share_one_snapshot_and_later_ones_take_another():
    source = Source()
    scrapes = Scrapes(source)

    answers = await asyncio.gather(*(scrapes.scrape("", compressed=False) for _ in range(50)))

    assert source.taken == 1
    assert len({id(body) for body, _ in answers}) == 1
    await scrapes.scrape("", compressed=False)
    assert source.taken == 2


async def test_each_format_and_coding_is_its_own():
    scrapes = Scrapes(Source())
    openmetrics = "application/openmetrics-text"

    plain, other, zipped = await asyncio.gather(
        scrapes.scrape("", compressed=False),
        scrapes.scrape(openmetrics, compressed=False),
        scrapes.scrape(openmetrics, compressed=True),
    )

    assert plain[1] != other[1]
    assert gzip.decompress(zipped[0]).endswith(b"# EOF\n")


async def test_a_scraper_that_hangs_up_does_not_take_the_answer_from_the_others():
    scrapes = Scrapes(Source())
    first = asyncio.create_task(scrapes.scrape("", compressed=False))
    second = asyncio.create_task(scrapes.scrape("", compressed=False))
    await asyncio.sleep(0)

    first.cancel()

    body, _ = await second
    assert b"sidecar_build_info" in body


async def test_after_a_failure_the_next_scrape_begins_anew():
    source = Source()
    failing = [RuntimeError("once")]

    def snapshot() -> Snapshot:
        if failing:
            raise failing.pop()
        return source()

    scrapes = Scrapes(snapshot)
    with pytest.raises(RuntimeError):
        await scrapes.scrape("", compressed=False)

    assert await scrapes.scrape("", compressed=False)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True), ("GZIP", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("gzip;q=0.1", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.0", False), ("xgzip", False),
        (";,;", False),
    ],
)  # fmt: skip
def test_gzip_is_used_when_it_is_wanted(header, wanted):
    assert accepts_gzip(header) is wanted
