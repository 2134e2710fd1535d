"""Names from foreign files as names of ours: inside --out whatever they are, unique, stable and
readable.
"""

import json
import re
from pathlib import PureWindowsPath

import pytest

from csc_tasks.file_names import safe_name, stays_inside
from csc_tasks.runs import writing
from tests.support.hostile_names import HOSTILE


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
@pytest.mark.parametrize("ending", ["", ".json"])
def test_a_hostile_name_is_one_plain_name(tmp_path, name, ending):
    made = safe_name(name, ending=ending)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*[A-Za-z0-9_-]", made) and len(made) <= 80
    assert made.endswith(ending) and made == safe_name(name, ending=ending)
    assert not PureWindowsPath(made).is_reserved()
    (tmp_path / made).write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [made]


def test_different_names_stay_different():
    names = [*HOSTILE, "a b", "a  b", "a/b/c", "a_b", "a__b", "CON-1", "x" * 80, "x" * 81, "x" * 82]
    assert len({safe_name(name).casefold() for name in names}) == len(set(names))


def test_ordinary_names_stay_readable():
    assert safe_name("org/model-7B") == "org__model-7B"
    assert safe_name("Qwen2.5-7B_v1") == "Qwen2.5-7B_v1"
    assert safe_name("results_2026-01-01T00-00-00.json", ending=".json").startswith("results_2026")
    assert re.fullmatch(r"tmp__runs__model-[0-9a-f]{6}", safe_name("/tmp/runs/model"))
    assert re.fullmatch(r"_con\.txt-[0-9a-f]{6}", safe_name("con.txt"))


def test_a_taken_name_gets_another_whatever_its_case():
    taken = ["org__Model"]
    other = safe_name("org/model", taken)
    assert re.fullmatch(r"org__model-[0-9a-f]{6}", other)
    third = safe_name("org/model", [*taken, other])
    assert re.fullmatch(r"org__model-[0-9a-f]{7}", third)
    assert safe_name("org/model", ["org__models"]) == "org__model"


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_results_of_a_model_of_any_name_lie_in_out(tmp_path, name):
    out = tmp_path / "out"
    file = writing.write(out, {"model_name": name}, {"csc_qa": [{"a": 1}]})
    assert file.resolve().parent.parent == out.resolve()
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) == 2 and json.loads(file.read_text("utf-8"))["model_name"] == name


def test_a_path_from_a_record_must_stay_inside():
    for name in ("file", "a/b.json", "a..b", "csconv/test-00000-of-00001.parquet"):
        assert stays_inside(name), name
    for name in ("../secret", "/etc/passwd", "a/../../secret", "", "a\0b", "..\\secret", "..", 3):
        assert not stays_inside(name), name
