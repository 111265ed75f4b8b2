"""What a rule file is made of, and how it is written. Knows nothing of what the rules say.

The text is deterministic: the committed files are compared with it byte for byte. Only the grammar of
Prometheus 2.42 is used (no group labels, no query_offset), which 3.x reads as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from textwrap import fill, indent
from typing import Any

import yaml

# With the indent of a rule, what fits on a screen beside line numbers.
_COMMENT_CHARACTERS = 110


class Severity(StrEnum):
    """What an alert does to a person, which is all that routing needs to know.

    Mixins write `critical` and `warning`; these two words leave no doubt about who is woken.
    """

    PAGE = "page"  # somebody gets up: users are failed now, or nobody would see it if they were
    TICKET = "ticket"  # somebody looks during working hours
    INFO = "info"  # shown, and silences what it explains; nobody is notified


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """As the rule file writes it."""
        labels = {"labels": dict(self.labels)} if self.labels else {}
        return {"record": self.record, "expr": self.expr, **labels}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule. `wait` is the `for` clause; `labels` come on top of `severity`."""

    alert: str
    expr: str
    severity: Severity
    summary: str
    description: str
    links: Mapping[str, str]
    wait: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """As the rule file writes it."""
        return {
            "alert": self.alert,
            "expr": self.expr,
            **({"for": self.wait} if self.wait else {}),
            "labels": {"severity": self.severity.value, **self.labels},
            "annotations": {"summary": self.summary, "description": self.description, **self.links},
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated together, in order. `why` becomes the comment above them."""

    name: str
    interval: str
    why: str
    rules: Sequence[Record | Alert]

    def fields(self) -> dict[str, Any]:
        """As the rule file writes it."""
        return {
            "name": self.name,
            "interval": self.interval,
            "rules": [rule.fields() for rule in self.rules],
        }


def render(header: str, groups: Sequence[Group], explain: Callable[[str], str] = lambda name: "") -> str:
    """A rule file: `header`, each group's `why`, and what `explain` says of a rule's name, as comments.

    Expressions are as they were laid out.
    """
    parts = [_comment(header), "groups:\n"]
    for group in groups:
        parts.append("\n" + indent(_comment(group.why), "  "))
        parts.append(indent(_group(group, explain), "  "))
    return "".join(parts)


def _group(group: Group, explain: Callable[[str], str]) -> str:
    if not group.rules:
        return dump([group.fields()])
    parts, said = [dump([{**group.fields(), "rules": []}]).removesuffix(" []\n") + "\n"], ""
    for rule in group.rules:
        comment = explain(rule.record if isinstance(rule, Record) else rule.alert)
        if comment and comment not in said:
            parts.append(indent(_comment(fill(comment, _COMMENT_CHARACTERS)), "  "))
            said += comment
        parts.append(indent(dump([rule.fields()]), "  "))
    return "".join(parts)


def _comment(text: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in text.strip().splitlines())


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that an expression reads as it was written."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """YAML as we write it: keys in their order, long lines whole, text of several lines as a block."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
