"""What an adapter's record may name: it decides which files are published."""

import json

import pytest

from csc_tasks.adapter import RECORD
from csc_tasks.errors import DataError
from trainers import adapter


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "a\\b", "a\0b", 3])
def test_a_record_never_names_a_file_outside_its_folder(tmp_path, name):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    record = {"format": adapter.FORMAT, "identity": "i", "files": [name, RECORD]}
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match="which is no file of the folder"):
        adapter.finished_record(folder)
