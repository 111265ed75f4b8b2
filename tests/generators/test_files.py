import stat

import pytest

from sidecar.errors import UsageError
from sidecar.generators import files


def test_files_are_written_into_a_directory_that_is_made(tmp_path):
    written = files.write(tmp_path / "new" / "deep", {"a.yaml": "a: ü\n", "b.yaml": ""})

    assert [path.name for path in written] == ["a.yaml", "b.yaml"]
    assert written[0].read_bytes() == "a: ü\n".encode()


def test_a_file_is_replaced_whole_readable_by_others_and_nothing_else_is_left(tmp_path):
    (tmp_path / "a.yaml").write_text("a longer text that was here before")
    (tmp_path / "mine.yaml").write_text("kept")

    files.write(tmp_path, {"a.yaml": "new"})

    assert (tmp_path / "a.yaml").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "a.yaml").stat().st_mode) == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "mine.yaml"]


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match=r"^cannot write to .*file/rules: Not a directory$"):
        files.write(tmp_path / "file" / "rules", {"a.yaml": ""})


def test_a_name_taken_by_a_directory_leaves_no_temporary_file(tmp_path):
    (tmp_path / "a.yaml").mkdir()

    with pytest.raises(UsageError):
        files.write(tmp_path, {"a.yaml": "text"})

    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_missing_and_changed_files_are_differences(tmp_path):
    files.write(tmp_path, {"same": "1", "changed": "1"})

    assert files.differences(tmp_path, {"same": "1", "changed": "2", "missing": ""}) == ["changed", "missing"]
