"""requests: Ray Serve takes whatever its users define."""

from typing import Any

import requests
from both import report


def everything(address: str) -> dict[str, Any]:
    """Four exchanges, one of them failed and one a stream."""
    url = f"http://{address}/churn"
    model = {"serve_multiplexed_model_id": "fraud"}
    answers = {
        "row": requests.post(url, json={"age": 60.0, "region": "n"}),
        "multiplexed": requests.post(url, json={"age": 20.0, "region": "s"}, headers=model),
        "failed": requests.post(url, json={"region": "s"}),
        "words": requests.post(f"http://{address}/words", json={"text": "it will rain"}),
    }
    return {name: [answer.status_code, answer.text] for name, answer in answers.items()}


if __name__ == "__main__":
    report(everything)
