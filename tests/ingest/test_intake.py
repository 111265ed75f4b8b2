import asyncio

from sidecar.exchange import Exchange
from sidecar.ingest import intake as module
from sidecar.ingest.intake import Intake
from sidecar.registry import Registry
from tests.fakes import exchange


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_exchanges_are_handed_on_in_order_one_at_a_turn_of_the_loop():
    seen: list[Exchange] = []
    intake = Intake(Registry(), seen.append)
    offered = [exchange(target=f"/{i}") for i in range(5)]
    for one in offered:
        assert intake.offer(one)
    task = asyncio.create_task(intake.run())
    await asyncio.sleep(0)
    assert len(seen) == 1
    await until(lambda: len(seen) == 5)
    assert seen == offered
    intake.offer(offered[0])
    await until(lambda: len(seen) == 6)
    task.cancel()


async def test_what_does_not_fit_in_number_or_bytes_is_refused_at_once(monkeypatch):
    intake = Intake(Registry(), lambda _: None)
    monkeypatch.setattr(module, "MAX_EXCHANGES", 2)
    assert [intake.offer(exchange()) for _ in range(3)] == [True, True, False]
    intake.flush()
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    assert [intake.offer(exchange(bytes(4_000))) for _ in range(3)] == [True, False, False]
    intake.flush()
    assert intake.offer(exchange(bytes(4_000)))


async def test_a_fault_in_reading_one_does_not_cost_the_next(caplog):
    seen: list[Exchange] = []

    def observe(one: Exchange) -> None:
        if one.target == "/bad":
            raise RuntimeError("a fault of ours")
        seen.append(one)

    intake = Intake(Registry(), observe)
    intake.offer(exchange(target="/bad"))
    intake.offer(exchange(target="/good"))
    intake.flush()
    assert [one.target for one in seen] == ["/good"]
    assert "could not be read" in caplog.text
