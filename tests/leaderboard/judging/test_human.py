"""Ratings by people: balanced blinded sheets, the page used in a browser, and an import that finds
every mistake.
"""

import csv
import io
import itertools
import json
from collections import Counter

import pytest

from csc_tasks.cli import main
from csc_tasks.conversation import content_id
from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics import estimate
from csc_tasks.runs.names import SIX
from leaderboard.judging.ratings import read_ratings
from leaderboard.judging.sheet_files import read_key, read_sheets
from leaderboard.judging.sheets import as_csv, as_page, assign, item_id
from leaderboard.judging.units import Unit
from tests.support.browser import opened
from tests.support.judged_models import curt, gold, write_model

SECRET = "5" * 64


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name, talk in (("org/gold", gold), ("org/curt", curt)):
        write_model(root, name, talk, documents=10, tasks=("csc_conv_gen", "csc_qa"), language="en")
    return root


@pytest.fixture
def study(results, tmp_path):
    out = tmp_path / "study"
    sizes = ["--conversations", "4", "--answers", "5", "--raters", "3", "--ratings", "2"]
    assert main(["human", "export", str(results), *sizes, "--out", str(out)]) == 0
    return out


def rows_of(file):
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))


def filled(file, key, value=lambda item, name: 1 + (len(item) + len(name)) % 5):
    """The rows of a sheet with ratings in them."""
    rows = rows_of(file)
    for row in rows:
        row |= {
            name: str(value(row["item"], name)) for name in key["items"][row["item"]]["dimensions"]
        }
    return rows


def save(file, rows, delimiter=","):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(stream.getvalue(), encoding="utf-8-sig", newline="")
    return file


def unit(number, reply="x", said=(("customer", "hello"),)):
    return Unit(
        f"t/{number}/0", "csc_conv_ref", str(number), 0, "en", "Others", "", said, reply, "y"
    )


# Export


def test_everybody_gets_equally_many_of_each_models_items():
    pairs = [(model, unit(number)) for model in ("a", "b", "c") for number in range(50)]
    raters = [f"r{i}" for i in range(7)]
    items = assign(pairs, raters, 3, (), 0, SECRET)
    assert all(len(set(item.raters)) == 3 for item in items)
    loads = Counter((item.model, rater) for item in items for rater in item.raters)
    assert max(loads.values()) - min(loads.values()) <= 1
    whole = Counter(rater for item in items for rater in item.raters)
    assert max(whole.values()) - min(whole.values()) <= 2
    # Everybody meets everybody, so that agreement rests on all of them.
    assert (
        len({pair for item in items for pair in zip(item.raters, item.raters[1:], strict=False)})
        >= 15
    )
    assert items == assign(list(reversed(pairs)), raters, 3, (), 0, SECRET)
    with pytest.raises(SettingError, match="between 1 and the number of raters"):
        assign(pairs, raters, 8, (), 0, SECRET)


def test_the_sheets_do_not_tell_the_model(study):
    files = {file.name: file.read_text(encoding="utf-8") for file in study.iterdir()}
    assert sorted(files) == [
        "guide.md",
        "key.json",
        *sorted(f"rater-{i}.{kind}" for i in (1, 2, 3) for kind in ("csv", "html")),
    ]
    assert [
        name
        for name, text in files.items()
        if "org/" in text or "csc_" in text.replace("csc-ratings", "")
    ] == ["key.json"]
    key = read_key(study)
    assert len(key["items"]) == 2 * (4 + 5)
    assert Counter(len(item["raters"]) for item in key["items"].values()) == {2: 18}


def test_nobody_can_guess_an_items_model_from_its_id(study, results):
    """Every way to make an id from names alone, tried with all models and units of the study."""
    items = read_key(study)["items"]
    models = {item["model"] for item in items.values()}
    units = {item["unit"] for item in items.values()}
    guesses = set()
    for model, unit, seed in itertools.product(models, units, (0, 1)):
        for parts in ((seed, model, unit), (model, unit), (model, unit, seed)):
            guesses.add(content_id("item", *parts))
            guesses |= {item_id(secret, seed, model, unit) for secret in ("", "0", "item", model)}
    assert len(items) == 18 and not guesses & items.keys()


def test_the_same_study_exported_again_has_other_ids_and_with_its_key_the_same(
    study, results, tmp_path, capsys
):
    sizes = ["--conversations", "4", "--answers", "5", "--raters", "3", "--ratings", "2"]
    again = ["human", "export", str(results), *sizes, "--out"]
    assert main([*again, str(tmp_path / "other")]) == 0
    assert not read_key(tmp_path / "other")["items"].keys() & read_key(study)["items"].keys()
    assert main([*again, str(tmp_path / "same"), "--key", str(study / "key.json")]) == 0
    for file in study.iterdir():
        assert (tmp_path / "same" / file.name).read_bytes() == file.read_bytes(), file.name
    secret = read_key(study)["secret"]
    texts = [file.read_text(encoding="utf-8") for file in study.iterdir()]
    assert sum(secret in text for text in texts) == 1
    assert secret not in capsys.readouterr().out
    old = json.loads((study / "key.json").read_text(encoding="utf-8"))
    del old["secret"]
    (tmp_path / "old.json").write_text(json.dumps(old), encoding="utf-8")
    assert main([*again, str(tmp_path / "third"), "--key", str(tmp_path / "old.json")]) == 1
    assert "holds no secret for item ids" in capsys.readouterr().err


def test_the_same_units_of_every_model_and_a_study_is_never_overwritten(study, results, capsys):
    units = Counter((item["task"], item["unit"]) for item in read_key(study)["items"].values())
    assert set(units.values()) == {2}
    assert main(["human", "export", str(results), "--out", str(study)]) == 1
    assert "holds a study already" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(text):
    items = assign([("m", unit(1, text))], ["r"], 1, (), 0, SECRET)
    row = next(csv.DictReader(io.StringIO(as_csv(items, "r").decode("utf-8-sig"), newline="")))
    assert row["reply"] == f"'{text}" and row["conversation"] == "Customer: hello"


def test_hostile_text_in_the_page_is_only_text(tmp_path):
    hostile = (
        '</script><script>document.title = "moved"</script><!-- @data@ \u2028 <img src=x'
        " onerror=alert(1)> \ud83d"
    )
    items = assign([("m", unit(1, hostile, (("customer", hostile),)))], ["r"], 1, (), 0, SECRET)
    page = tmp_path / "page.html"
    page.write_bytes(as_page(items, "r", "study-1"))
    with opened(page) as (tab, complaints):
        assert tab.locator(".said.rated").inner_text().startswith("Rate this reply\n</script>")
        assert tab.title() == "Rating customer support · r"
    assert complaints == []


# Import


def test_the_csv_round_trip_whatever_the_spreadsheet_did(study, tmp_path):
    """Rows in another order, other columns in between, semicolons, numbers as 4.0, quotes and line
    breaks in a comment.
    """
    key = read_key(study)
    files = []
    for number, rater in enumerate(key["raters"]):
        rows = list(reversed(filled(study / f"{rater}.csv", key)))
        rows[0]["comment"] = 'He said "no",\nthen; yes'
        if number:
            rows = [{"own column": "x", **row, "accuracy": f"{row['accuracy']}.0"} for row in rows]
            rows = [
                {name: value for name, value in row.items() if name != "own column"} for row in rows
            ]
        files.append(save(tmp_path / f"{rater}.csv", rows, ";" if number == 2 else ","))
    ratings, comments, missing = read_sheets(key, files, partial=False)
    assert (len(ratings), missing, len(comments)) == (36, 0, 3)
    assert comments[0].comment == 'He said "no",\nthen; yes'
    for rating in ratings:
        item = next(
            id_
            for id_, known in key["items"].items()
            if (known["model"], known["unit"]) == (rating.model, rating.unit)
        )
        assert rating.scores == {
            name: 1 + (len(item) + len(name)) % 5 for name in key["items"][item]["dimensions"]
        }


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda rows: rows[0].update(item="item-0000000000000000"),
            "row 2: there is no item 'item-0000000000000000'",
        ),
        (
            lambda rows: rows[1].update(accuracy="6"),
            "row 3: item-.* accuracy is '6'; a whole number 1..5 belongs there",
        ),
        (lambda rows: rows[1].update(accuracy="good"), "accuracy is 'good'"),
        (lambda rows: rows[1].update(accuracy="3.5"), "accuracy is '3.5'"),
        (lambda rows: rows[1].update(accuracy=""), "row 3: item-.* has no rating for accuracy"),
        (lambda rows: rows[2].update(rater="rater-9"), "was not given to 'rater-9'"),
        (lambda rows: rows.append(dict(rows[0])), "was rated by rater-1 before, in .* row 2"),
        (lambda rows: rows.pop(), "1 of 36 ratings are missing .1 of rater-1's"),
    ],
)
def test_every_mistake_is_named(study, tmp_path, spoil, message):
    key = read_key(study)
    files = [study / f"{rater}.csv" for rater in key["raters"]]
    rows = [filled(file, key) for file in files]
    spoil(rows[0])
    saved = [save(tmp_path / file.name, own) for file, own in zip(files, rows, strict=True)]
    with pytest.raises(DataError, match=message):
        read_sheets(key, saved, partial=False)


def test_partial_takes_what_is_complete_and_counts_the_rest(study, tmp_path):
    key = read_key(study)
    rows = filled(study / "rater-1.csv", key)
    rows[0]["accuracy"] = ""
    ratings, _, missing = read_sheets(key, [save(tmp_path / "a.csv", rows)], partial=True)
    assert (len(ratings), missing) == (11, 36 - 11)


def test_files_of_something_else(study, tmp_path):
    key = read_key(study)
    for name, text, message in (
        ("a.json", "[]", "not what a rating page saves"),
        ("b.json", '{"study": "s", "rater": "r", "ratings": {}}', "belongs to"),
        ("c.csv", "x,y\n1,2\n", "no rows with the columns"),
        ("d.csv", "", "no rows with the columns"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=message):
            read_sheets(key, [tmp_path / name], partial=True)
    with pytest.raises(DataError, match=r"not the key\.json"):
        read_key(tmp_path / "a.json")


def test_means_columns_and_agreement(study, results, tmp_path, capsys):
    """Two raters who agree on everything but one; the columns equal the means by hand."""
    key = read_key(study)
    names = [f"{rater}.csv" for rater in key["raters"]]
    files = [
        save(tmp_path / name, filled(study / name, key, lambda item, _: 2 + int(item[-1], 16) % 4))
        for name in names
    ]
    judged, out = tmp_path / "judged", tmp_path / "humans"
    assert (
        main(
            [
                "judge",
                str(results),
                "--llm",
                "j=scripted",
                "--conversations",
                "10",
                "--out",
                str(judged),
            ]
        )
        == 0
    )
    more = ["--out", str(out), "--results", str(results), "--judges", str(judged)]
    assert main(["human", "import", str(study), *map(str, files), *more]) == 0
    said = capsys.readouterr().out
    assert "36 ratings of 18 items by 3 people, 0 missing" in said and "j – humans (mean)" in said
    # All agree in nine conversations: Clopper and Pearson's bound of 9 of 9, on a scale of -1 to 1.
    whole = f"1.00 ({2 * 0.025 ** (1 / 9) - 1:.2f} to 1.00)"
    assert f"|accuracy|18|{whole}|{whole}|{whole}|" in said
    ratings = [r for r in read_ratings([out]) if (r.model, r.task) == ("org/gold", "csc_conv_gen")]
    by_unit = {rating.unit: rating for rating in ratings}
    expected = estimate(
        [float(r.scores["empathy"]) for r in by_unit.values()],
        [r.conversation_id for r in by_unit.values()],
    )
    found = json.loads(next((out / "org__gold").glob("results_*.json")).read_text(encoding="utf-8"))
    assert found["results"]["csc_conv_gen"]["human_empathy,none"] == pytest.approx(expected.value)
    signature = found["configs"]["csc_conv_gen"]["metadata"]["csc"]["signatures"]["human_empathy"]
    assert signature.startswith("human_empathy|people:3|each:2|scale:1-5|reference:hidden|study:")
    assert main(["agreement", str(judged), str(out), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "reliability.html").read_text(encoding="utf-8").count(
        "<table>"
    ) >= 5


# The page


def test_the_page_in_a_browser_rate_save_import(results, tmp_path):
    """Rate everything by mouse and keyboard, save, close, continue from the file, and import what
    was saved.
    """
    study = tmp_path / "study"
    sizes = ["--conversations", "2", "--answers", "1", "--raters", "2"]
    assert main(["human", "export", str(results), *sizes, "--out", str(study)]) == 0
    key = read_key(study)
    saved = {}
    for rater in key["raters"]:
        with opened(study / f"{rater}.html") as (page, complaints):
            count = int(page.locator("#place").inner_text().split("/")[1])
            for position in range(count):
                fields = page.locator("fieldset")
                fields.nth(0).locator("input").nth(position % 5).check(force=True)
                # By keyboard: a digit rates the dimension that has the focus and goes on to the
                # next.
                fields.nth(1).locator("input").first.focus()
                for _ in range(fields.count() - 1):
                    page.keyboard.press("4")
                if position == 0:
                    page.locator("#comment").fill("short & <b>curt</b>")
                if position < count - 1:
                    page.locator("#next").click()
            assert page.locator("#progress").inner_text() == f"{count} of {count} rated"
            with page.expect_download() as download:
                page.locator("#save").click()
            saved[rater] = tmp_path / download.value.suggested_filename
            download.value.save_as(saved[rater])
        assert complaints == []
    ratings, comments, missing = read_sheets(key, saved.values(), partial=False)
    assert (len(ratings), missing, len(comments)) == (12, 0, 2)
    assert comments[0].comment == "short & <b>curt</b>"
    assert {
        score for rating in ratings for name, score in rating.scores.items() if name != SIX[0]
    } == {4}
    with opened(study / "rater-1.html") as (page, complaints):
        assert page.locator("#progress").inner_text().startswith("0 of")
        page.locator("#file").set_input_files(saved["rater-1"])
        page.wait_for_function(
            "document.getElementById('progress').textContent.startsWith('6 of 6')"
        )
        assert page.locator("fieldset").nth(1).locator("input").nth(3).is_checked()
        assert page.locator("#comment").input_value() == "short & <b>curt</b>"
    assert complaints == []
