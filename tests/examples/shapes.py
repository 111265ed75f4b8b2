"""What the custom resources of others may look like, as far as the examples use them.

Written by hand after their definitions: a field that is not here is a typo, or has to be looked up and added.
"""

from typing import Any

from tests.helm.rendering import Object, tool

TEXT: Object = {"type": "string", "minLength": 1}
COUNT: Object = {"type": "integer", "minimum": 0}
NUMBER: Object = {"type": "number"}
DURATION: Object = {"type": "string", "pattern": "^[0-9]+(m|s)$"}
URL: Object = {"type": "string", "pattern": "^https?://"}
TEXTS: Object = {"type": "object", "additionalProperties": TEXT}


def thing(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Object:
    """An object with these fields and no others."""
    properties = {**required, **(optional or {})}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def several(item: Object) -> Object:
    """A list with at least one of them."""
    return {"type": "array", "items": item, "minItems": 1}


_FIELD = thing({"fieldRef": thing({"fieldPath": TEXT})})
_METRIC = thing(
    {
        "name": TEXT,
        "provider": thing({"prometheus": thing({"address": TEXT, "query": TEXT})}),
    },
    {
        "initialDelay": DURATION,
        "interval": DURATION,
        "count": COUNT,
        "failureLimit": COUNT,
        "inconclusiveLimit": COUNT,
        "successCondition": TEXT,
        "failureCondition": TEXT,
    },
)
_ANALYSIS = thing(
    {"templates": several(thing({"templateName": TEXT}))},
    {"args": several(thing({"name": TEXT}, {"value": TEXT, "valueFrom": _FIELD}))},
)
_STEP = {"oneOf": [thing({"setWeight": {"type": "integer", "maximum": 100}}), thing({"analysis": _ANALYSIS})]}
_PODS_METADATA = thing({}, {"labels": TEXTS, "annotations": TEXTS})
_MODEL = thing(
    {"modelFormat": thing({"name": TEXT}, {"version": TEXT}), "storageUri": TEXT},
    {"protocolVersion": {"enum": ["v1", "v2"]}, "runtime": TEXT},
)

SPECS: dict[tuple[str, str], Object] = {
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): thing(
        {"metrics": several(_METRIC)}, {"args": several(thing({"name": TEXT}, {"value": TEXT}))}
    ),
    ("argoproj.io/v1alpha1", "Rollout"): thing(
        {
            # Those of a Deployment, and checked as one.
            "selector": {},
            "template": {},
            "strategy": thing(
                {
                    "canary": thing(
                        {"steps": several(_STEP)},
                        {"canaryMetadata": _PODS_METADATA, "stableMetadata": _PODS_METADATA},
                    )
                }
            ),
        },
        {"replicas": COUNT},
    ),
    ("flagger.app/v1beta1", "MetricTemplate"): thing(
        {"provider": thing({"type": {"const": "prometheus"}, "address": URL}), "query": TEXT}
    ),
    ("flagger.app/v1beta1", "Canary"): thing(
        {
            "targetRef": thing({"apiVersion": TEXT, "kind": TEXT, "name": TEXT}),
            "service": thing({"port": COUNT}, {"targetPort": {}}),
            "analysis": thing(
                {"interval": DURATION, "threshold": NUMBER, "stepWeight": NUMBER},
                {
                    "maxWeight": NUMBER,
                    "metrics": several(
                        thing(
                            {"name": TEXT, "templateRef": thing({"name": TEXT}, {"namespace": TEXT})},
                            {
                                "interval": DURATION,
                                "thresholdRange": thing({}, {"min": NUMBER, "max": NUMBER}),
                            },
                        )
                    ),
                },
            ),
        }
    ),
    ("keda.sh/v1alpha1", "ScaledObject"): thing(
        {
            "scaleTargetRef": thing({"name": TEXT}, {"kind": TEXT, "apiVersion": TEXT}),
            "triggers": several(
                thing(
                    {
                        "type": {"const": "prometheus"},
                        "metadata": thing(
                            {"serverAddress": URL, "query": TEXT, "threshold": TEXT},
                            {"ignoreNullValues": {"enum": ["true", "false"]}},
                        ),
                    },
                    {"metricType": {"enum": ["AverageValue", "Value"]}},
                )
            ),
        },
        {
            "minReplicaCount": COUNT,
            "maxReplicaCount": COUNT,
            "fallback": thing({"failureThreshold": COUNT, "replicas": COUNT}),
        },
    ),
    ("serving.kserve.io/v1beta1", "InferenceService"): thing(
        {
            "predictor": thing(
                {"model": _MODEL},
                {
                    "labels": TEXTS,
                    "annotations": TEXTS,
                    "logger": thing({"url": URL}, {"mode": {"enum": ["all", "request", "response"]}}),
                },
            )
        }
    ),
}


def check(item: Object) -> bool:
    """Whether the kind is one of them. Raises when the object does not fit it."""
    spec = SPECS.get((item["apiVersion"], item["kind"]))
    if spec is None:
        return False
    metadata = thing({"name": TEXT}, {"namespace": TEXT, "labels": TEXTS, "annotations": TEXTS})
    whole = thing({"apiVersion": TEXT, "kind": TEXT, "metadata": metadata, "spec": spec})
    tool("jsonschema").validate(item, whole)
    return True
