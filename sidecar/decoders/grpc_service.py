"""What the protocols over gRPC have in common: who claims a call, and how its messages become rows.

A member says what one message means; here is what holds for all: names are read first, so that a call
whose tensors cannot be read still has its model; the messages of a stream are rows below one another.
The trap: a path names a service, often "…Inference…" or "…Prediction…", also when the method is a probe.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from sidecar.decoders import grpc_messages
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.decoders.protobuf import Message, Reader
from sidecar.decoders.stack import Table, stacked
from sidecar.exchange import CapturedBody, Exchange
from sidecar.inference import Inference, ModelRef, Operation, Undecoded

# Names are label values and keys of tables that remember them.
_LONGEST_NAME = 256


class Names(NamedTuple):
    """What a message says of its model and of itself; "" where it does not."""

    model: str = ""
    version: str = ""
    id: str = ""


class Asked(NamedTuple):
    """What an answer is read by: how many rows were asked about, and the body that asked."""

    rows: int
    data: bytes


class GrpcService:
    """One protocol over gRPC. Stateless; a member gives its names and what its messages mean."""

    name: str
    """The value of the `protocol` label."""

    service: str
    """What paths begin with."""

    methods: ClassVar[Mapping[str, Operation]]
    """Those that are inference."""

    streams: frozenset[str] = frozenset()
    """The methods whose request and answer may be any number of messages, none included."""

    # What a member gives. Reading outputs and features may raise Undecodable.
    def asked(self, method: str, message: Message) -> Names:
        """What a request says."""
        raise NotImplementedError

    def answered(self, method: str, message: Message) -> Names:
        """What an answer says."""
        return Names()

    def features(self, method: str, message: Message) -> Table:
        """The rows of a request."""
        raise NotImplementedError

    def elsewhere(self, method: str, message: Message) -> bool:
        """Whether features are not in the request, but in memory that client and server share."""
        return False

    def outputs(self, method: str, message: Message, asked: Asked) -> Table:
        """The rows of an answer; none where it holds no prediction."""
        raise NotImplementedError

    def error(self, method: str, message: Message) -> str:
        """The kind of an error inside an answer of status OK; "" if there is none."""
        return ""

    # What they have in common.
    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """A call of one of the methods of the service."""
        if method != "POST" or not is_grpc(media) or not path.startswith(self.service):
            return None
        operation = self.methods.get(method_of(path))
        if operation is None:
            return None
        return Claim(self.name, operation, evidence=f"the call is one of {self.name}'s")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Model, version and id; rows, if it asks for predictions."""
        method = method_of(exchange.path)
        reader, messages, problem = _open(exchange.request, exchange.request_headers)
        said = [self.asked(method, message) for message in messages]
        if said:
            inference.model = ModelRef(said[0].model[:_LONGEST_NAME], said[0].version[:_LONGEST_NAME])
            inference.request_id = said[0].id[:_LONGEST_NAME] or inference.request_id
        if inference.operation is not Operation.PREDICT or self._is_empty(method, problem):
            return
        _check(reader, problem)
        if len(said) > 1 and len({names.model for names in said if names.model}) > 1:
            raise Undecodable(Undecoded.STREAM, "the stream is for more than one model")
        inference.rows, inference.features = _rows_of(
            reader, messages, lambda message: self.features(method, message)
        )
        inference.elsewhere = any(self.elsewhere(method, message) for message in messages)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """The version that answered, what the request did not say, an error, the outputs."""
        method, asked = method_of(exchange.path), Asked(inference.rows, exchange.request.data)
        reader, messages, problem = _open(exchange.response, exchange.response_headers)
        inference.decoupled = method in self.streams
        if messages:
            self._name(inference, self.answered(method, messages[0]))
        if inference.operation is not Operation.PREDICT or self._is_empty(method, problem):
            return
        inference.error = next(filter(None, (self.error(method, message) for message in messages)), "")
        if inference.error:
            return
        _check(reader, problem)
        found = _rows_of(reader, messages, lambda message: self.outputs(method, message, asked))
        inference.outputs = found[1]

    def _is_empty(self, method: str, problem: Undecodable | None) -> bool:
        """Whether nothing was said where nothing needs to be."""
        return method in self.streams and problem is not None and problem.reason is Undecoded.EMPTY_BODY

    def _name(self, inference: Inference, names: Names) -> None:
        model = inference.model
        version = names.version[:_LONGEST_NAME] or model.version
        inference.model = ModelRef(model.name or names.model[:_LONGEST_NAME], version)
        inference.request_id = inference.request_id or names.id[:_LONGEST_NAME]


def is_grpc(media: str) -> bool:
    """Whether a media type is gRPC's own; gRPC-Web is another."""
    return media == "application/grpc" or media.startswith("application/grpc+")


def method_of(path: str) -> str:
    """The method of a call."""
    return path.rpartition("/")[2]


def _open(
    captured: CapturedBody, headers: Mapping[str, str]
) -> tuple[Reader, list[Message], Undecodable | None]:
    """The messages of a body, as far as they can be had, and what ended them."""
    parts, problem = grpc_messages.split(captured, headers)
    reader = Reader()
    return reader, [reader.read(*part) for part in parts], problem


def _check(reader: Reader, problem: Undecodable | None) -> None:
    # What broke the framing broke its last message, too.
    if problem is not None:
        raise problem
    reader.check()


def _rows_of(reader: Reader, messages: list[Message], read: Callable[[Message], Table]) -> Table:
    """The rows of all messages. Raises Undecodable; where a message is malformed, that is the reason."""
    try:
        found = stacked([read(message) for message in messages])
    except Undecodable:
        reader.check()
        raise
    reader.check()
    return found
