"""requests, in each of the forms that MLflow's scoring server takes."""

from typing import Any

import pandas as pd
import requests
from both import report

TABLE = pd.DataFrame({"age": [60.0, 20.0], "region": ["n", "s"]})
RECORDS = [{"age": 60.0, "region": "n"}, {"age": None, "region": "s"}, {"region": "s"}]


def everything(address: str) -> dict[str, Any]:
    """Five inferences, one of them refused, and a probe."""
    url = f"http://{address}/invocations"
    bodies = {
        "split": {"dataframe_split": TABLE.to_dict(orient="split")},
        "records": {"dataframe_records": RECORDS},
        "inputs": {"inputs": TABLE.to_dict(orient="list")},
        "refused": {"dataframe_records": [{"age": 60.0}]},
    }
    answers = {name: requests.post(url, json=body) for name, body in bodies.items()}
    csv = {"content-type": "text/csv; charset=utf-8"}
    answers["csv"] = requests.post(url, data=TABLE.to_csv(index=False), headers=csv)
    answers["ping"] = requests.get(f"http://{address}/ping")
    return {name: [answer.status_code, answer.text] for name, answer in answers.items()}


if __name__ == "__main__":
    report(everything)
