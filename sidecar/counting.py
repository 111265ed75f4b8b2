"""Numbers of things in sentences for people: 1 row, 2 rows, 0 rows."""


def counted(number: float, one: str, many: str = "") -> str:
    """The number and the noun in its form, `many` where it is not `one` and an s."""
    return f"{number:.0f} {one if number == 1 else many or f'{one}s'}"
