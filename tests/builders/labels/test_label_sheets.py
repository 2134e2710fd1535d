"""csc label export and import: people label on sheets that show nobody else's labels."""

import csv

import pytest

from builders.dataset import read_record
from csc_tasks.labels import Label
from tests.support.label_sets import NAMES, csc, talk, turns_of, write_set

FIRST = talk("Ann").conversation_id


@pytest.fixture
def folder(tmp_path):
    """Labelled by models: what the sheets must not show."""
    plain = write_set(tmp_path / "calls")
    assert csc("label", "run", plain, "--llm", "scripted", "--out", tmp_path / "labelled") == 0
    return tmp_path / "labelled"


def export(folder, *options, people="anna,ben"):
    """Person -> rows of the sheet."""
    out = folder.with_name("sheets")
    assert csc("label", "export", folder, "--people", people, "--out", out, *options) == 0
    sheets = {}
    for name in people.split(","):
        with (out / f"label-{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            sheets[name] = list(csv.DictReader(file))
    return out, sheets


def save(path, rows, delimiter=","):
    """A sheet as a spreadsheet program would save it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, extrasaction="ignore")
        out.writeheader()
        out.writerows(rows)
    return path


def fill(rows, name, **cells):
    """Write strategies into turns (`t1` is the first) of the talk with a person of this name."""
    wanted = talk(name).conversation_id
    for row in rows:
        if row["conversation_id"] == wanted and f"t{row['turn']}" in cells:
            row["strategies"] = cells[f"t{row['turn']}"]


def test_a_sheet_has_a_row_a_turn_and_nobodys_labels(folder, capsys):
    out, sheets = export(folder)
    assert sheets["anna"] != sheets["ben"]
    for name, rows in sheets.items():
        assert len(rows) == 5 * len(NAMES) and {row["rater"] for row in rows} == {name}
        assert {row["strategies"] for row in rows} == {""}
    same = [{**row, "rater": ""} for row in sheets["anna"]]
    assert same == [{**row, "rater": ""} for row in sheets["ben"]]
    text = (out / "label-anna.csv").read_text(encoding="utf-8-sig")
    assert not any(hint in text for hint in ("model:", "Greeting", "GT", "Closure"))
    guide = (out / "GUIDE.md").read_text()
    assert "**Greeting** (GT)" in guide and guide.count("- **") == 12
    assert "conversations: 4 of 4, 12 supporter turns to label" in capsys.readouterr().out


def test_a_smaller_sample_is_part_of_a_larger_one(folder, tmp_path):
    names = {}
    for size in (1, 3):
        _, sheets = export(folder, "--sample", size, people="anna")
        names[size] = {row["conversation_id"] for row in sheets["anna"]}
        (tmp_path / "sheets" / "label-anna.csv").unlink()
    assert (len(names[1]), len(names[3])) == (1, 3) and names[1] < names[3]


def test_several_people_come_back_in_any_order_and_stand_behind_the_models(folder, tmp_path):
    out, sheets = export(folder)
    anna, ben = sheets["anna"], sheets["ben"]
    fill(anna, "Ann", t1="Greeting", t3="IV + Problem Refinement", t5="策略11 感谢与告别")
    fill(ben, "Ann", t1="EM；GT", t3="EM", t5="")
    files = [
        save(out / "a.csv", list(reversed(anna)), delimiter=";"),
        save(out / "b.csv", [row for row in ben if row["conversation_id"] == FIRST]),
    ]
    assert csc("label", "import", folder, *files, "--out", tmp_path / "people") == 0
    turns = turns_of(tmp_path / "people")
    before = turns_of(folder)
    assert turns[FIRST, 0].labels[:3] == before[FIRST, 0].labels
    people = {place: turns[FIRST, place].labels[3:] for place in (0, 2, 4)}
    assert people == {
        0: (Label("anna", ("GT",)), Label("ben", ("EM", "GT"))),
        2: (Label("anna", ("IV", "PR")), Label("ben", ("EM",))),
        4: (Label("anna", ("AC",)),),
    }
    counts = read_record(tmp_path / "people")["counts"]
    assert counts["labelling_2_labels_by_person"] == {"anna": 3, "ben": 2}
    assert counts["labelling_2_rows_left_empty"] == {"anna": 9, "ben": 1}
    assert [one["by"] for one in read_record(tmp_path / "people")["labellings"]] == [
        "models",
        "people",
    ]


def test_people_alone_label_an_unlabelled_folder(tmp_path):
    """Three people, two of whom call it an apology: the majority."""
    plain = write_set(tmp_path / "calls")
    out, sheets = export(plain, people="a,b,c")
    for name, strategy in (("a", "EM"), ("b", "EM"), ("c", "GT")):
        fill(sheets[name], "Ann", t1=strategy)
        save(out / f"label-{name}.csv", sheets[name])
    files = [out / f"label-{name}.csv" for name in "abc"]
    assert csc("label", "import", plain, *files, "--out", tmp_path / "people") == 0
    turns = turns_of(tmp_path / "people")
    assert turns[FIRST, 0].strategy == "EM"
    assert sum(bool(turn.labels) for turn in turns.values()) == 1
    card = (tmp_path / "people" / "README.md").read_text()
    assert "People labelled supporter turns (3)" in card


def spoil(rows, number, **cells):
    """Change cells of the first talk's turn of this number."""
    next(
        row for row in rows if row["conversation_id"] == FIRST and row["turn"] == str(number)
    ).update(cells)


def test_every_problem_of_every_sheet_has_a_line_and_nothing_is_written(folder, tmp_path, capsys):
    out, sheets = export(folder)
    anna, ben = sheets["anna"], sheets["ben"]
    spoil(anna, 1, strategies="Greetin")
    spoil(anna, 2, strategies="GT")
    spoil(anna, 3, strategies="GT + IV + EM + PS")
    spoil(anna, 4, text="Somebody else")
    spoil(anna, 5, strategies="GT + Greeting")
    anna.append({**anna[-1]})
    spoil(ben, 1, turn="9")
    spoil(ben, 2, check="c0")
    spoil(ben, 3, rater="carl")
    ben[-1]["conversation_id"] = "nobody"
    empty = [{**row, "rater": "dora"} for row in export_rows(folder)]
    nameless = [{**row, "rater": "model:x"} for row in export_rows(folder)]
    files = [
        save(out / f"{name}.csv", rows)
        for name, rows in (("a", anna), ("b", ben), ("d", empty), ("m", nameless))
    ]
    capsys.readouterr()
    none = out / "none.csv"
    latin = out / "latin.csv"
    latin.write_bytes("rater,text\nÄ,ü".encode("latin-1"))
    other = save(out / "other.csv", [{"rater": "e", "words": "x"}])
    status = csc("label", "import", folder, *files, none, latin, other, "--out", tmp_path / "p")
    assert status == 1 and not (tmp_path / "p").exists()
    first, *lines = capsys.readouterr().err.rstrip().split("\n")
    assert first == f"error: {len(lines)} problems in the sheets, so nothing was written:"
    expected = [
        "strategy 'Greetin' is not one of the 12 (closest: Greeting)",
        "a strategy for a turn of the customer, who has none",
        "4 strategies; name at most 3, the main one first",
        "the text was changed, to 'Somebody else'",
        "'Greeting' is named twice",
        "stands in line",
        "has turns 1 to 5, not '9'",
        "is not what was exported",
        "there is no conversation 'nobody' in the dataset",
        "is of 'ben' (line 2) and of 'carl'",
        "d.csv: no strategy is filled in; leave the file out",
        "'model:x' is no name for a person",
        "none.csv",
        "is not UTF-8; save the table as CSV UTF-8",
        "no column conversation_id, turn, speaker, text, strategies, check in the first row",
    ]
    for problem in expected:
        assert sum(problem in line for line in lines) == 1, problem
    assert len(lines) == len(expected)


def export_rows(folder):
    """The rows of a sheet that nobody filled in."""
    out = folder.with_name("fresh")
    if not out.exists():
        assert csc("label", "export", folder, "--people", "x", "--out", out) == 0
    with (out / "label-x.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_person_labels_a_turn_once(folder, tmp_path, capsys):
    out, sheets = export(folder, people="anna")
    fill(sheets["anna"], "Ann", t1="GT")
    file = save(out / "label-anna.csv", sheets["anna"])
    twice = save(out / "again.csv", sheets["anna"])
    assert csc("label", "import", folder, file, twice, "--out", tmp_path / "p") == 1
    assert "and in label-anna.csv too" in capsys.readouterr().err
    assert csc("label", "import", folder, file, "--out", tmp_path / "p") == 0
    assert csc("label", "import", tmp_path / "p", file, "--out", tmp_path / "q") == 1
    assert "has a label of anna in the dataset already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("people", "problem"),
    [
        ("corpus", "is no name for a person"),
        ("model:x", "is no name for a person"),
        ("../a", "is no name for a person here"),
        ("Ann Lee,ann lee", "two sheets would be called label-ann-lee.csv"),
        (",", "--people is empty"),
    ],
)
def test_names_that_will_not_do_are_one_line(people, problem, folder, tmp_path, capsys):
    assert csc("label", "export", folder, "--people", people, "--out", tmp_path / "s") == 1
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_sheets_that_are_there_are_not_overwritten(folder, capsys):
    out, _ = export(folder)
    assert csc("label", "export", folder, "--people", "ben", "--out", out) == 1
    assert "may hold labels" in capsys.readouterr().err
