"""When Python looks for cycles among objects: nearly never, because exchanges leave none behind.

With Python's own threshold each hundred exchanges that go through the steps together cost a search. The
trap: cycles do come up elsewhere (exceptions, the admin server), so searching is rare, not off.
"""

import gc

# Objects made and not freed since the last search. Exchanges under way are a few thousand; 20,000 are some
# megabytes of what could be garbage.
_OBJECTS = 20_000


def settle() -> None:
    """What exists now stays for good: search it never again, and the rest rarely."""
    gc.freeze()
    gc.set_threshold(_OBJECTS)
    gc.enable()
