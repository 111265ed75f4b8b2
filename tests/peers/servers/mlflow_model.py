"""Saves a model for MLflow's scoring server in ./model: a score and a label for each row, NaN if no age."""

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema


class Churn(mlflow.pyfunc.PythonModel):
    """The score is a hundredth of the age."""

    def predict(self, context, model_input, params=None):
        score = model_input["age"] / 100
        return pd.DataFrame({"score": score, "label": np.where(score > 0.5, "stays", "leaves")})


INPUTS = Schema([ColSpec(DataType.double, "age", required=False), ColSpec(DataType.string, "region")])
mlflow.pyfunc.save_model("model", python_model=Churn(), signature=ModelSignature(INPUTS), pip_requirements=[])
