"""A churn model for Triton's Python backend: the score is a tenth of the age, whatever the region."""

import numpy as np
import triton_python_backend_utils as backend


class TritonPythonModel:
    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        score = backend.get_input_tensor_by_name(request, "age").as_numpy() / np.float32(100)
        label = np.where(score > 0.5, b"stays", b"leaves").astype(np.object_)
        return backend.InferenceResponse([backend.Tensor("score", score), backend.Tensor("label", label)])
