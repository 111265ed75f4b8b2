"""How much memory and work the reading of traffic may cost, whatever the traffic is.

Also the accounts that hold it to that: a `Budget` is shared by every connection.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one reader. Sizes in bytes, times in seconds."""

    # Ten thousand rows of twelve numbers in JSON; larger bodies are counted and timed, not decoded.
    capture_bytes: int = MIB
    # Of a stream, besides its events, which are what is read of it: the whole of a short one, for a person.
    # More would halve how many long answers at once fit into `total_bytes`.
    stream_bytes: int = 64 * KIB
    # Bodies and events kept at one moment over all connections: 32 uploads of the largest size.
    total_bytes: int = 32 * MIB
    # Four times the largest plain body: inflating that much takes some 20 ms of the reader's time.
    decoded_bytes: int = 4 * MIB
    # Rows of zeros compress about 1:1000, rows of measurements 1:3 to 1:20. Only asked of outputs past
    # `capture_bytes`, since up to there an uncompressed body would be let through just as well.
    expansion_ratio: int = 100
    # What Node, Go and nginx accept, or more; a longer head is no request to a model.
    head_bytes: int = 64 * KIB
    # Half-read heads and requests not yet answered, over all connections: about 20,000 of them.
    total_head_bytes: int = 16 * MIB
    # Clients that pipeline send tens; past this the pairing would be a queue somebody else fills.
    pipelined: int = 1_000
    # Calls open at once on one HTTP/2 connection. Servers allow 100 to 1,000, gRPC's own as many as come; so
    # many take an eighth of `total_head_bytes`. One past this is counted as unobserved.
    streams: int = 2_000
    # Of a recorded exchange, and members of a compressed stream: a long chat answer has some 2,000.
    events: int = 4_096
    # Kept of a stream: most chat answers are shorter; of longer ones these say when tokens began to come.
    first_events: int = 256
    # And the end says how many there were and why no more came: usage, the reasons of every choice, the mark.
    last_events: int = 64
    # Eight bytes each, so that pauses in the middle of a long answer show: an hour at nine tokens a second.
    event_times: int = 32_768
    # The largest tool call or embedding seen in one event is some 60 KiB.
    event_bytes: int = 256 * KIB
    # Past this a new connection is not followed; file descriptors end long before.
    connections: int = 100_000


class Budget:
    """An amount of bytes shared by many holders. Whoever takes gives back."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, amount: int) -> bool:
        """Reserve `amount` bytes; False, and nothing is reserved, if they are not there."""
        if self.used + amount > self.limit:
            return False
        self.used += amount
        return True

    def give_back(self, amount: int) -> None:
        """Return bytes taken before."""
        self.used -= amount
