"""The fuzzer itself works: its seeds are read, and what it makes of them too. Longer runs are by hand."""

import random

import pytest

from tests.fuzz import readers


def test_every_seed_goes_to_every_reader():
    for seed in readers.seeds()[::7]:
        for number in range(len(readers.READERS)):
            readers.one(bytes([number]) + bytes(6) + seed)


def test_mutated_seeds_are_read_or_counted():
    chance, seeds = random.Random(7), readers.seeds()
    for _ in range(300):
        readers.one(readers.mutated(chance.choice(seeds), chance))


def test_a_reader_that_raises_is_reported_with_its_input(monkeypatch):
    def faulty(data):
        raise ZeroDivisionError

    monkeypatch.setattr(readers, "READERS", (faulty,))
    with pytest.raises(AssertionError, match="base64"):
        readers.drive(5.0, 1)
