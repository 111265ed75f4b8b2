"""A model for Triton's Python backend that gives back what it gets."""

import triton_python_backend_utils as backend

NAMES = ("flag", "half", "long", "byte")


class TritonPythonModel:
    """Each input is an output under another name."""

    def execute(self, requests):
        """An answer for each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        given = [(name, backend.get_input_tensor_by_name(request, name).as_numpy()) for name in NAMES]
        return backend.InferenceResponse([backend.Tensor(f"{name}_back", data) for name, data in given])
