from sidecar.exporters.otlp_resource import resource_attributes


def test_the_service_has_a_name_and_an_instance_even_when_nobody_gave_one():
    found = resource_attributes({}, version="1.2", instance="host:19464")

    assert found == {
        "service.name": "inference-sidecar",
        "service.version": "1.2",
        "service.instance.id": "host:19464",
    }


def test_in_kubernetes_the_instance_is_namespace_pod_and_container():
    environ = {"POD_NAMESPACE": "shop", "POD_NAME": "churn-1", "K8S_CONTAINER_NAME": "sidecar"}

    found = resource_attributes(environ, instance="host")

    assert found["service.instance.id"] == "shop.churn-1.sidecar"
    assert found["k8s.namespace.name"] == "shop"
    assert found["k8s.pod.name"] == "churn-1"


def test_resource_attributes_of_the_environment_win_and_the_service_name_wins_over_them():
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,deployment.environment.name=prod%20eu,k8s.pod.name=p",
        "K8S_POD_NAME": "other",
    }
    assert resource_attributes(environ)["service.name"] == "a"

    found = resource_attributes({**environ, "OTEL_SERVICE_NAME": "b"})

    assert found["service.name"] == "b"
    assert found["deployment.environment.name"] == "prod eu"
    assert found["k8s.pod.name"] == "p"
