"""What an answer's code says about how its exchange ended."""

import pytest

from sidecar.exchange import GRPC_CODES, Outcome, grpc_code, outcome_of_grpc
from tests.fakes import exchange

CLIENT_ERRORS = {3, 5, 6, 7, 9, 11, 16}


@pytest.mark.parametrize("number", range(17))
def test_a_grpc_code_is_the_callers_fault_or_the_servers(number):
    name = grpc_code(str(number))
    expected = Outcome.CLIENT_ERROR if number in CLIENT_ERRORS else Outcome.SERVER_ERROR
    assert outcome_of_grpc(name) is (Outcome.OK if number == 0 else expected)


@pytest.mark.parametrize("said", ["17", "-1", "999", "", "x", "²", "0x1", "1" * 5000])
def test_what_is_no_grpc_code_is_unknown(said):
    assert grpc_code(said) == "UNKNOWN"


def test_the_numbers_are_those_of_the_specification():
    names = ("OK", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "UNAUTHENTICATED")
    assert [GRPC_CODES.index(name) for name in names] == [0, 4, 12, 16]


def test_the_code_of_an_exchange_is_its_grpc_status_or_its_http_status():
    assert exchange(status=503).code == "503"
    assert exchange(status=200, grpc_status="NOT_FOUND").code == "NOT_FOUND"
    assert exchange(status=None).code == ""
