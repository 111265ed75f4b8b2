"""Makes three models and the settings of an MLServer to serve them. Arguments: its REST and its gRPC port."""

import json
import sys
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

WORDS = '''
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse


class Words(MLModel):
    """Answers a text word by word."""

    async def predict_stream(self, payloads):
        async for payload in payloads:
            for word in StringCodec.decode_input(payload.inputs[0])[0].split():
                output = StringCodec.encode_output("word", [word])
                yield InferenceResponse(model_name=self.name, id=payload.id, outputs=[output])
'''


def model(name: str, implementation: str, version: str, uri: str = "") -> Path:
    """A directory with the settings of a model."""
    where = Path(name)
    where.mkdir()
    parameters = {"version": version} | ({"uri": uri} if uri else {})
    settings = {"name": name, "implementation": implementation, "parameters": parameters}
    (where / "model-settings.json").write_text(json.dumps(settings))
    return where


def main() -> None:
    """An iris classifier, one of tables with a text column, and one that streams."""
    rest, grpc = sys.argv[1:]
    # Nothing else may listen; a stream is only one without workers of its own (MLServer's docs).
    settings = {"host": "127.0.0.1", "http_port": int(rest), "grpc_port": int(grpc), "metrics_endpoint": None}
    Path("settings.json").write_text(json.dumps(settings | {"parallel_workers": 0}))
    learnt = "mlserver_sklearn.SKLearnModel"

    iris = load_iris()
    where = model("iris", learnt, "v1.2", "model.joblib")
    joblib.dump(LogisticRegression(max_iter=1000).fit(iris.data, iris.target), where / "model.joblib")

    table = pd.DataFrame({"age": [20.0, 30.0, 60.0, 70.0], "region": ["n", "s", "n", "s"]})
    encoder = make_column_transformer((OneHotEncoder(), ["region"]), remainder="passthrough")
    where = model("churn", learnt, "7", "model.joblib")
    joblib.dump(make_pipeline(encoder, LogisticRegression()).fit(table, [0, 0, 1, 1]), where / "model.joblib")

    where = model("words", "words.Words", "1")
    (where / "words.py").write_text(WORDS)


if __name__ == "__main__":
    main()
