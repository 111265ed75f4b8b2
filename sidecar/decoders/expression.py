"""One JMESPath expression: checked when it is configured, bounded when it is evaluated.

The language has no loops and no way back to the root of a document, so that an evaluation costs at most
(size of the expression) x (size of the document). That still is too much for a document of half a million
numbers, hence a limit on steps. Imported only where a `payload` is configured.
"""

from typing import Any

from jmespath import exceptions, parser
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded

# Two steps for each of 50,000 rows: well more than a body of a megabyte holds, and 50 ms at the very most.
_MAX_STEPS = 100_000
_EXAMPLE = "give a JMESPath expression such as data.rows"


class Expression:
    """What to take out of a document."""

    def __init__(self, text: str) -> None:
        """Raises ValueError with a sentence that says what is wrong and at which character."""
        self.text = text
        try:
            self._tree = parser.Parser().parse(text).parsed
            _check_functions(self._tree)
        except exceptions.EmptyExpressionError:
            raise ValueError(f"an empty expression finds nothing; {_EXAMPLE}") from None
        except exceptions.ParseError as error:
            raise ValueError(_sentence(text, error)) from None
        except RecursionError:
            raise ValueError(f"the expression is nested too deep; {_EXAMPLE}") from None

    def search(self, document: Any) -> Any:
        """What the expression finds; None for nothing. Raises Undecodable."""
        try:
            return _Interpreter().visit(self._tree, document)
        except Undecodable:
            raise
        except Exception as error:
            # A type that a function or a comparison does not take: the library raises Python's own errors
            # besides JMESPathError. Their messages quote the document.
            raise Undecodable(Undecoded.SHAPE, f"{self.text}: {type(error).__name__}") from None


class _Interpreter(TreeInterpreter):
    """Evaluates a tree, and gives up when that takes too many steps."""

    def __init__(self) -> None:
        super().__init__(Options())
        self._steps = 0

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise Undecodable(Undecoded.TOO_MANY_ROWS, f"the expression took more than {_MAX_STEPS} steps")
        return super().visit(node, *args, **kwargs)


def _sentence(text: str, error: exceptions.ParseError) -> str:
    position = int(error.lex_position) + 1
    if isinstance(error, exceptions.IncompleteExpressionError) or position > len(text):
        what = "it ends too early"
    elif isinstance(error, exceptions.LexerError):
        said = f"{error.message[:1].lower()}{error.message[1:]}"[:60]
        # Quotes what it does not know, whatever that is.
        what = f"{said if said.isprintable() else ascii(said)[1:-1]} at character {position}"
    else:
        what = f"{str(error.token_value)[:20]!r} at character {position} is not expected there"
    return f"{text[:60]!r} is no JMESPath expression: {what}; {_EXAMPLE}"


def _check_functions(node: Any) -> None:
    """Raise ValueError if a function is not there or is called with another number of arguments."""
    for child in node.get("children", ()):
        if isinstance(child, dict):
            _check_functions(child)
    if node["type"] != "function_expression":
        return
    name, given = node["value"], len(node["children"])
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ValueError(f"JMESPath has no function {name}(); {_EXAMPLE}")
    wanted = known["signature"]
    variadic = bool(wanted) and wanted[-1].get("variadic", False)
    if given < len(wanted) or (given > len(wanted) and not variadic):
        raise ValueError(f"{name}() takes {len(wanted)} arguments, not {given}")
