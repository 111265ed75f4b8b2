"""A decoupled model for Triton's Python backend: counts to `count`, an answer for each number."""

import numpy as np
import triton_python_backend_utils as backend


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            count = int(backend.get_input_tensor_by_name(request, "count").as_numpy()[0])
            if count < 0:
                error = backend.TritonError("cannot count down")
                sender.send(backend.InferenceResponse(error=error))
            for number in range(count):
                answer = backend.Tensor("number", np.array([number], np.int32))
                sender.send(backend.InferenceResponse([answer]))
            sender.send(flags=backend.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
