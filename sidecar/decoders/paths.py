"""What a path says by itself: probe, metadata, metrics, administration, or perhaps inference.

The one list of what is *not* inference: the generic decoder leaves these alone, and the observer counts
them by kind. A path that names an inference verb is never on it when something is POSTed there.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

# Targets longer than this are not remembered: they are attacks, or features in a query.
_LONGEST_REMEMBERED = 512

_INFERENCE = re.compile(
    r"predict|infer(?!ence(?:\.|service))|invoc|invoke|scor(?:e|ing)|classif|detect|embed|generat|explain|rank|forecast|recommend"
    r"|segment|transcri|translat|summari|complet|regress"
)
# A path of gRPC, in lower case: the service may be called after inference, what counts is the method.
_CALL = re.compile(r"/(?:[a-z_][a-z0-9_]*\.)+[a-z0-9_]+/[a-z0-9_]+")
_KINDS = (
    ("metrics", re.compile(r"/metrics$|/prometheus(?:/|$)|/stats$")),
    (
        "probe",
        re.compile(
            r"/(?:health|healthz|healthcheck|health_check|ready|readyz|readiness|live|livez|liveness|ping"
            r"|startup|startupz|alive|status)$|/health/|grpc\.health\.|/-/healthz?$|/server(?:live|ready)$|/modelready$"
        ),
    ),
    (
        "admin",
        re.compile(
            r"/repository(?:/|$)|/(?:un)?load$|/(?:un)?register$|/reload$|/shutdown$|/quit$|/login$|/logout$"
            r"|/(?:oauth|auth|admin|-)(?:/|$)|/token$|/feedback$|/(?:system|cuda|xpu)sharedmemory(?:/|$)"
            r"|/(?:system|cuda)sharedmemory(?:status|(?:un)?register)$|/repository(?:index|model(?:un)?load)$"
            r"|/(?:un)?registermodel$|/scaleworker$|/setdefault$|/handlereloadconfigrequest$|/sendfeedback$"
            r"|/logging$|/logsettings$|/tracesetting$|/trace/setting$|/api/(?:pull|push|create|copy|delete)$|/load_lora_adapter$|/sleep$|/wake_up$"
        ),
    ),
    (
        "metadata",
        re.compile(
            r"/v[12]/models(?:/[^/:]+(?:/(?:versions|labels)/[^/:]+)?(?:/(?:metadata|config))?)?$|/v2$|/models$"
            r"|/(?:version|info|docs|redoc|openapi\.json|docs\.json|schema\.json|swagger\.json|api-description|metadata)$"
            r"|/(?:server|model|getmodel)metadata$|/modelconfig$|/modelstatistics$|/getmodelstatus$|/grpc\.reflection\."
            r"|/(?:list|describe)models?$"
            r"|/swagger(?:-ui)?(?:/|$)|/api/(?:tags|ps|show|version)$|/(?:de)?tokenize$|/count_tokens$|/favicon\.ico$"
        ),
    ),
)


def normal(target: str) -> str:
    """The path of a request target: no scheme, host or query; decoded, but for an encoded slash."""
    path = target.partition("?")[0].partition("#")[0]
    if path[:1] != "/" and "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    if "%" in path:
        path = unquote(path.replace("%2f", "%2F").replace("%2F", "%252F"), errors="replace")
    return path


def smells_of_inference(path: str) -> bool:
    """Whether the path names something one does with a model."""
    return _INFERENCE.search(path.lower()) is not None


def kind_of(method: str, path: str) -> str:
    """One of `catalog.OTHER_KINDS`, taking for granted that the exchange is not inference."""
    if method == "OPTIONS":
        return "cors"
    lowered = path.lower().rstrip("/") or "/"
    named = lowered.rpartition("/")[2] if _CALL.fullmatch(lowered) else lowered
    if method in ("POST", "PUT") and not lowered.endswith("/feedback") and smells_of_inference(named):
        return "other"
    for kind, pattern in _KINDS:
        if pattern.search(lowered):
            return kind
    return "other"


_remembered = lru_cache(maxsize=1024)(kind_of)


def other_kind(method: str, target: str) -> str:
    """The kind of an exchange that is not inference: one of `catalog.OTHER_KINDS`."""
    path = normal(target)
    return (_remembered if len(path) <= _LONGEST_REMEMBERED else kind_of)(method, path)
