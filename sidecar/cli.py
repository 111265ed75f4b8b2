"""The command line: what may be typed, and which function it calls.

Only words here; what the commands do is in `commands`, imported once a command was chosen, so that
`sidecar --help` is fast. Exit codes: 0 fine, 1 failed at run time, 2 wrong usage or configuration,
130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from sidecar import __version__
from sidecar.errors import SidecarError, UsageError, silence, tell

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_SETTINGS_NOTE = """Flags win over variables, variables over the file.
Every key of the file is a variable too: slos.latency.threshold is SIDECAR_SLOS__LATENCY__THRESHOLD."""

_REPLAY_NOTE = """Without a reference the first 5,000 rows are it, as they are live.
Detections depend on the rows alone, not on when or how fast they are replayed."""
_EXPLAIN_NOTE = """FILE is a recording as for replay, or the bytes of an HTTP/1.1 request in X.request, with
those of the answer in X.response beside it. --recent shows heads, names and counts: a running sidecar
keeps no values."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. A user's mistake is a sentence on stderr, no traceback."""
    _open_standard_streams()
    parser = _parser()
    try:
        chosen = parser.parse_args(_filled(sys.argv[1:] if arguments is None else arguments))
        if chosen.command is None:
            parser.print_help(sys.stderr)
            return 2
        return _call(chosen)
    except SidecarError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output left (| head): nothing to say, and nobody to say it to.
        silence(sys.stdout.fileno())
        return 1
    except OSError as error:
        # A full disk below our output, or no more descriptors: the user's machine, not a fault of ours.
        silence(sys.stdout.fileno())
        tell(f"sidecar: {error.strerror or error}")
        return 1


def _filled(arguments: Sequence[str]) -> Sequence[str]:
    """The arguments, of which none may be empty: that is a variable of a shell that was never set.

    Taken for "not given" it would be a configuration that is silently ignored.
    """
    for before, argument in pairwise(["", *arguments]):
        if not argument or (argument.startswith("--") and argument.endswith("=")):
            flag = argument.rstrip("=") or (before if before.startswith("-") else "")
            where = f"{flag}: an empty value" if flag else "an empty argument"
            raise UsageError(f"{where} is not allowed; is a variable of the shell not set?")
    return arguments


def _open_standard_streams() -> None:
    """Point closed standard streams at nothing, before a listening socket takes the place of stderr."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest place that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if descriptor == 0 else "w", closefd=False))  # noqa: SIM115


def _call(chosen: argparse.Namespace) -> int:
    from sidecar import commands  # brings pydantic, where a command needs it

    command: Callable[[argparse.Namespace], int] = getattr(commands, chosen.command)
    code = command(chosen)
    sys.stdout.flush()
    return code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of a screen of usage, and does not hide a full disk."""

    def error(self, message: str) -> NoReturn:
        tell(f"{self.prog}: {message} (see {self.prog} --help)")
        sys.exit(2)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if message:
            tell(message.rstrip("\n"))
        sys.stdout.flush()  # or what goes wrong there is told by the interpreter, with a traceback
        sys.exit(status)

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        """argparse's own forgets that it could not write."""
        (file or sys.stderr).write(message)


def _parser() -> _Parser:
    parser = _Parser(
        prog="sidecar",
        description="Watches the inference traffic of any model server: latency, errors, features, drift.",
        epilog="Example: sidecar run --upstream 127.0.0.1:8000, then send requests to port 18080.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sidecar {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    adders = (
        _run, _relay, _observe, _check, _profile, _replay, _explain, _rules,
        _dashboards, _demo, _probe, _redirect, _webhook, _version,
    )  # fmt: skip
    for add in adders:
        add(commands)
    return parser


_Commands = argparse._SubParsersAction  # the only name argparse has for it


def _command(commands: "_Commands[_Parser]", name: str, help: str, example: str, note: str = "") -> _Parser:
    parser = commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"example:\n  {example}\n\n{note}".rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=name)
    return parser


def _settings_flags(parser: _Parser) -> None:
    """The flags that are settings; their names are dotted keys with dashes."""
    parser.add_argument("-c", "--config", metavar="FILE", help="YAML file (or SIDECAR_CONFIG)")
    parser.add_argument("--upstream", metavar="ADDRESS", help="the model server: host:port or unix:/path")
    redirect = "relay to where iptables REDIRECT took each connection from, instead of --upstream"
    parser.add_argument("--redirect", action="store_const", const="true", help=redirect)
    parser.add_argument("--listen", metavar="ADDRESS", help="where clients connect (0.0.0.0:18080)")
    parser.add_argument("--admin", metavar="ADDRESS", help="probes and metrics (0.0.0.0:19464)")
    parser.add_argument("--reference", metavar="FILE", help="profile made by sidecar profile")
    parser.add_argument("--workers", metavar="N", help="relay processes (1)")
    # For a supervisor that reads its configuration again on SIGHUP.
    parser.add_argument("--print-plan", action="store_true", help=argparse.SUPPRESS)


def _tee_flag(parser: _Parser) -> None:
    tee = os.environ.get("SIDECAR_TEE") or None
    help = "the unix socket between the halves (or SIDECAR_TEE)"
    parser.add_argument("--tee", metavar="unix:PATH", default=tee, required=tee is None, help=help)


def _run(commands: "_Commands[_Parser]") -> None:
    example = "sidecar run --upstream 127.0.0.1:8000"
    help = "relay traffic to the model server, watch it, export what was seen"
    _settings_flags(_command(commands, "run", help, example, _SETTINGS_NOTE))


def _relay(commands: "_Commands[_Parser]") -> None:
    example = "sidecar relay --upstream 127.0.0.1:8000 --tee unix:/run/sidecar/tee.sock"
    parser = _command(commands, "relay", "only relay, for a container of its own", example, _SETTINGS_NOTE)
    _settings_flags(parser)
    _tee_flag(parser)


def _observe(commands: "_Commands[_Parser]") -> None:
    example = "sidecar observe --tee unix:/run/sidecar/tee.sock"
    parser = _command(commands, "observe", "only watch what a relay copies", example, _SETTINGS_NOTE)
    _settings_flags(parser)
    _tee_flag(parser)


def _check(commands: "_Commands[_Parser]") -> None:
    help = "say everything that is wrong with a configuration, or what it would run"
    _settings_flags(_command(commands, "check", help, "sidecar check --config sidecar.yaml"))


def _profile(commands: "_Commands[_Parser]") -> None:
    example = "sidecar profile training.csv --label churned --prediction score -o reference.json"
    parser = _command(commands, "profile", "build a reference from training data", example)
    parser.add_argument("data", metavar="DATA", help="csv, jsonl or parquet")
    parser.add_argument("-o", "--output", metavar="FILE", default="reference.json", help="- for stdout")
    parser.add_argument("--prediction", metavar="COL", action="append", default=[], help="may be repeated")
    parser.add_argument("--label", metavar="COL", help="the truth; not a feature")
    parser.add_argument("--timestamp", metavar="COL", help="when the row was; not a feature")


def _replay(commands: "_Commands[_Parser]") -> None:
    example = "sidecar replay last-week.csv.gz --reference reference.json --format json"
    parser = _command(
        commands, "replay", "judge recorded rows or exchanges as live ones", example, _REPLAY_NOTE
    )
    parser.add_argument("data", metavar="DATA", help="csv, jsonl or parquet; or exchanges as JSON lines")
    parser.add_argument("--reference", metavar="FILE", help="profile made by sidecar profile")
    parser.add_argument(
        "--chunk", metavar="ROWS", type=_rows, default=5_000, help="rows a score is over (5000)"
    )
    parser.add_argument("--format", choices=("json", "table"), default="table", help="of what is printed")
    parser.add_argument("--partial", action="store_true", help="judge the columns that are there")
    parser.add_argument(
        "--prediction",
        metavar="COL",
        action="append",
        default=[],
        help="without a reference, or for --label; may be repeated",
    )
    parser.add_argument("--label", metavar="COL", help="the truth: quality of each chunk; not a feature")
    parser.add_argument("--timestamp", metavar="COL", help="when the row was: for hours of the day")
    parser.add_argument(
        "--segment", metavar="COL", action="append", default=[], help="judge within each of its values, too"
    )
    parser.add_argument("--model", metavar="NAME", help="whose part of the configuration counts")
    parser.add_argument("-c", "--config", metavar="FILE", help="for expectations and drift.page of it")


def _explain(commands: "_Commands[_Parser]") -> None:
    help = "say which decoder reads an exchange, why, what it reads, and what would help"
    parser = _command(commands, "explain", help, "sidecar explain exchanges.jsonl", _EXPLAIN_NOTE)
    parser.add_argument("file", metavar="FILE", nargs="?", help="JSON lines, or the bytes of X.request")
    parser.add_argument(
        "--recent",
        metavar="N",
        nargs="?",
        const="",
        help="ask a running sidecar: all it remembers, or the Nth",
    )
    parser.add_argument("--admin", metavar="ADDRESS", help="its admin port (127.0.0.1:19464)")
    parser.add_argument("-c", "--config", metavar="FILE", help="for its payload (or SIDECAR_CONFIG)")
    parser.add_argument("--format", choices=("json", "table"), default="table", help="of what is printed")


def _rules(commands: "_Commands[_Parser]") -> None:
    example = "sidecar rules -o /etc/prometheus/rules --config sidecar.yaml"
    parser = _command(commands, "rules", "write alert rules for Prometheus", example)
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="- for stdout")
    parser.add_argument("-c", "--config", metavar="FILE", help="for the objectives of this configuration")
    formats = ("prometheus", "prometheusrule", "sloth", "openslo")
    parser.add_argument("--format", choices=formats, default="prometheus", help="of the files")
    parser.add_argument(
        "--label", metavar="KEY=VALUE", action="append", default=[], help="on PrometheusRule objects"
    )
    grafana = "your Grafana, for dashboard_url on alerts (or paging.grafana_url)"
    parser.add_argument("--grafana-url", metavar="URL", help=grafana)
    _runbook_flag(parser)


def _runbook_flag(parser: _Parser) -> None:
    help = "where your copy of the runbooks is (or paging.runbook_url)"
    parser.add_argument("--runbook-url", metavar="URL", help=help)


def _dashboards(commands: "_Commands[_Parser]") -> None:
    help = "write dashboards for Grafana"
    parser = _command(commands, "dashboards", help, "sidecar dashboards -o /var/lib/grafana/dashboards")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="- for stdout")
    parser.add_argument("-c", "--config", metavar="FILE", help="for paging.runbook_url")
    _runbook_flag(parser)
    parser.set_defaults(grafana_url=None)


def _demo(commands: "_Commands[_Parser]") -> None:
    help = "a model server, real data and an incident on this machine"
    parser = _command(commands, "demo", help, "sidecar demo --seconds 90")
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=_seconds,
        help="how long, all phases together: 45 or more, 90 if not said",
    )
    parser.add_argument("--headless", action="store_true", help="no live view; a JSON object as last line")
    parser.add_argument("--no-incident", action="store_true", help="the same traffic, with nothing wrong")
    parser.add_argument(
        "--scenario", choices=("default", "llm", "canary"), default="default",
        help="features that break (default), a chat server, or a new version that is worse",
    )  # fmt: skip


def _probe(commands: "_Commands[_Parser]") -> None:
    help = "ask a running sidecar whether it is well: exit code 0 or 1"
    parser = _command(commands, "probe", help, "sidecar probe --ready")
    admin = os.environ.get("SIDECAR_ADMIN") or "127.0.0.1:19464"
    parser.add_argument("--admin", metavar="ADDRESS", default=admin, help="its admin port (or SIDECAR_ADMIN)")
    parser.add_argument("--ready", action="store_true", help="whether it takes traffic, not only lives")


def _redirect(commands: "_Commands[_Parser]") -> None:
    help = "send what arrives for a port to the sidecar, with iptables; for run --redirect"
    parser = _command(commands, "redirect", help, "sidecar redirect --port 8000 --to 18080")
    parser.add_argument("--port", metavar="N", type=_port, required=True, help="the model server's port")
    parser.add_argument("--to", metavar="N", type=_port, default=18080, help="the sidecar's port (18080)")
    parser.add_argument("--remove", action="store_true", help="take the rules away again")


def _webhook(commands: "_Commands[_Parser]") -> None:
    help = "answer Kubernetes' API server, which asks what to add to a pod"
    example = "sidecar webhook --tls-cert tls.crt --tls-key tls.key --injection injection.yaml"
    parser = _command(commands, "webhook", help, example)
    parser.add_argument("--listen", metavar="ADDRESS", default="0.0.0.0:8443", help="(0.0.0.0:8443)")
    parser.add_argument("--tls-cert", metavar="FILE", required=True, help="PEM; read again when it changes")
    parser.add_argument("--tls-key", metavar="FILE", required=True, help="PEM")
    parser.add_argument(
        "--injection", metavar="FILE", required=True, help="what is added; the chart writes it"
    )


def _version(commands: "_Commands[_Parser]") -> None:
    _command(commands, "version", "say which version this is", "sidecar version")


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 86_400):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return int(text)


def _rows(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows from 1 to 10000000")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)
