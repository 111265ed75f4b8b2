"""Bodies that are tables by their format rather than by their protocol: CSV, NPY, RecordIO, LIBSVM.

The content type is believed only where the first bytes agree: SageMaker's containers mislabel their answers,
and clients send no type at all. Parquet is not read: it would take a library of 100 MB.
"""

from sidecar.decoders import body, delimited, libsvm, npy, recordio
from sidecar.inference import Column

_NPY = "application/x-npy"
_RECORDIO = frozenset({"application/x-recordio-protobuf", "application/x-recordio"})
_LIBSVM = frozenset({"text/libsvm", "text/x-libsvm"})
_CSV = frozenset({"text/csv", "application/csv"})
MEDIA = frozenset({_NPY}) | _RECORDIO | _LIBSVM | _CSV

Table = tuple[int, list[Column]]


def of_request(data: bytes, content_type: str, *, headerless: bool = False) -> Table | None:
    """Rows and features, None if the body is no table of these formats. Raises Undecodable."""
    found = _binary(data, content_type)
    if found == _NPY:
        return npy.read(data, "input")
    if found:
        return recordio.read_features(data, "input")
    media = body.media_of(content_type)
    if media in _LIBSVM:
        return libsvm.read(data, "input")
    if media in _CSV and not _looks_like_json(data):
        return delimited.read(data, content_type, "input", headerless=headerless)
    return None


def of_answer(data: bytes, content_type: str, *, headerless: bool = False) -> Table | None:
    """Rows and outputs, None if the answer is no table of these formats. Raises Undecodable."""
    found = _binary(data, content_type)
    if found == _NPY:
        return npy.read(data, "prediction", "prediction")
    if found:
        return recordio.read_labels(data)
    if body.media_of(content_type) in _CSV and not _looks_like_json(data):
        return delimited.read(data, content_type, "prediction", "prediction", headerless=headerless)
    return None


def _binary(data: bytes, content_type: str) -> str:
    """Which of the binary formats it is: by its first bytes, "" for none of them."""
    if data.startswith(npy.MAGIC):
        return _NPY
    return "recordio" if data.startswith(recordio.MAGIC) else ""


def _looks_like_json(data: bytes) -> bool:
    text = data.strip()
    return (text[:1], text[-1:]) in ((b"{", b"}"), (b"[", b"]"))
