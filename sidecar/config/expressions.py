"""The kinds of values that a `payload` holds: expressions, names, patterns of paths.

As in `values`: each reader gives the value or raises ValueError with the rest of a sentence. jmespath is
loaded when there is an expression to read.
"""

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from sidecar.config.values import refusal, text

# Forty names of features written down as a literal; longer lists are written as a list.
MAX_EXPRESSION_CHARACTERS = 2_000
MAX_NAMES = 1_000


def expression(value: Any) -> str:
    """A JMESPath expression, as text."""
    want = "a JMESPath expression such as data.rows"
    if value is None or isinstance(value, dict | list):
        raise refusal("an empty value" if value is None else value, want)
    result = str(value).strip()
    if len(result) > MAX_EXPRESSION_CHARACTERS:
        raise ValueError(f"{len(result)} characters are too many; give {MAX_EXPRESSION_CHARACTERS} at most")
    if result[:1] == "$":
        raise ValueError(
            f"{result[:60]!r} is JSONPath; JMESPath has no $: give {result.lstrip('$.')[:60] or '@'}"
        )
    from sidecar.decoders.expression import Expression

    return Expression(result).text


def names_or_expression(value: Any) -> str | tuple[str, ...]:
    """Names of features in the order of a row, or an expression that finds them."""
    if not isinstance(value, list | tuple):
        return expression(value)
    if not 0 < len(value) <= MAX_NAMES:
        raise ValueError(f"a list of {len(value)} names is not allowed; give 1 to {MAX_NAMES}")
    found = tuple(_name(item) for item in value)
    if len(set(found)) < len(found):
        raise ValueError("a name is there twice; give each feature one of its own")
    return found


def pattern(value: Any) -> str:
    """A path of requests, in which `*` stands for any characters."""
    want = "a path such as /score or /fraud/*"
    result = _pattern(value)
    if result[:1] not in ("/", "*"):
        raise refusal(result, want)
    if "?" in result or "#" in result:
        raise ValueError(f"{result[:60]} has a query; give the path alone, such as /score")
    return result


_name = text("the name of a feature")
_pattern = text("a path such as /score or /fraud/*")

Expression = Annotated[str, PlainValidator(expression)]
# What pydantic knows of a plain validator is its type, and it would warn of the list that a tuple becomes.
_AS_IT_IS = PlainSerializer(lambda value: value, return_type=Any)
NamesOrExpression = Annotated[str | tuple[str, ...], PlainValidator(names_or_expression), _AS_IT_IS]
PathPattern = Annotated[str, PlainValidator(pattern)]
