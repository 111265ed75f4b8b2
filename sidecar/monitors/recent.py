"""A mapping of bounded size that makes what it does not hold and forgets what was used longest ago."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """`make` builds the value of a key that is not held; at most `limit` values are held."""

    def __init__(self, limit: int, make: Callable[[K], V]) -> None:
        self._limit = limit
        self._make = make
        self._values: OrderedDict[K, V] = OrderedDict()

    def __getitem__(self, key: K) -> V:
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self._make(key)
            if len(self._values) > self._limit:
                self._values.popitem(last=False)
        else:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Hold this value from now on."""
        self.discard(key)
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> Iterator[tuple[K, V]]:
        """What is held, longest unused first; may be changed while iterating."""
        return iter(list(self._values.items()))

    def discard(self, key: K) -> None:
        """Forget one value, if it is held."""
        self._values.pop(key, None)
