"""Expert review: what reviewers see, what a spreadsheet may do to it on the way, and where their
decisions land.
"""

import csv
import io
import json
import random
import re

import pytest

from builders.cards.render import Card
from builders.dataset import read_folder, write_folder
from builders.review.dataset_card import read_card
from builders.review.originals import originals_path, write_originals
from builders.review.page import FORMAT
from builders.review.table import COLUMNS
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn, content_id
from csc_tasks.csv_cells import guarded, unguarded
from tests.support.browser import opened

CARD = Card(
    title="Reviewed",
    summary="For tests.",
    licence="mit",
    copyright="Copyright (c) 2020 Nobody",
    languages=("zh", "en"),
    source="Made up.\n\nIn two parts.",
    made="By hand:\n\n- first\n- then",
    limits=("Only two.", "Both short."),
    citation="@misc{two}",
    tags=("synthetic",),
)
NASTY = (
    "=cmd|' /C calc'!A0",
    "'=1+1",
    "+1",
    "-2",
    "@SUM(A1)",
    "0314",
    "9931939443153",
    "3/5",
    "10:30",
    "TRUE",
    "May 5",
    "'tis fine",
    'He said: "no",\n; then',
    "a;=1+1;b",
    "a,\t@x",
    "</script><script>alert(1)</script>",
    "<!-- <b>&amp; \u2028",
    "3月5日",
    "50%",
    '=HYPERLINK("http://x")',
    "” “ 你好；再见",
)


def conversation(number, language="en", texts=None, **more):
    """Ten turns: GT, then the middle, then AC; `texts` replaces what is said from turn 2 on."""
    strategies = ["GT", "IV", "PR", "PS", "AC"]
    said = [
        f"Turn {i} of {number}." if language == "en" else f"第{number}段对话里的第{i}句话。"
        for i in range(10)
    ]
    said[1 : 1 + len(texts or ())] = texts or ()
    turns = tuple(
        Turn("customer", text) if i % 2 else Turn("supporter", text, strategies[i // 2])
        for i, text in enumerate(said)
    )
    name = content_id(
        "csconv", language, [[turn.speaker, turn.strategy, turn.text] for turn in turns]
    )
    return Conversation(name, language, "Product Consultation", "test", turns, **more)


PLAIN = [conversation(0), conversation(1, "zh"), conversation(2), conversation(3)]
HARD = [
    conversation(4, texts=NASTY[:9]),
    conversation(5, texts=NASTY[9:18]),
    conversation(6, texts=NASTY[18:]),
]


@pytest.fixture
def dataset(tmp_path):
    """dataset(conversations, ...) writes a folder, with the originals of the first two beside
    it.
    """

    def write(conversations=(*PLAIN, *HARD), originals=2):
        out = tmp_path / "set"
        rows = {"csconv": {"test": [one.to_row() for one in conversations]}}
        write_folder(
            out,
            rows,
            CARD,
            {"builder": "test", "settings": {}, "counts": {"made": len(conversations)}},
            {},
        )
        if originals:
            recorded = (
                Turn("customer", "=raw, my number is 12"),
                Turn("supporter", "Noted. </script>"),
            )
            write_originals(
                out,
                {
                    one.conversation_id: (f"src{i}", recorded)
                    for i, one in enumerate(conversations[:originals])
                },
            )
        return out

    return write


def run(*words):
    return main([str(word) for word in words])


def exported(folder, *options):
    """The rows of the table that export writes (a fresh review/ folder beside the dataset), as a
    spreadsheet holds them.
    """
    out = folder.with_name("review")
    assert run("review", "export", folder, "--out", out, *options) == 0
    with (out / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def saved(path, rows, delimiter=",", encoding="utf-8-sig", newline="\r\n", columns=COLUMNS):
    """A table as a spreadsheet program would save it."""
    text = io.StringIO()
    out = csv.DictWriter(
        text, columns, delimiter=delimiter, lineterminator=newline, extrasaction="ignore"
    )
    out.writeheader()
    out.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def dialogues(folder):
    _, rows = read_folder(folder)
    return {
        row["conversation_id"]: row["dialogue"]
        for splits in rows.values()
        for part in splits.values()
        for row in part
    }


def mark(rows, one, number=1, **cells):
    """Fill cells of a conversation's turn."""
    next(
        row
        for row in rows
        if row["conversation_id"] == one.conversation_id and row["turn"] == str(number)
    ).update(cells)


# the table


def test_the_table_has_a_row_a_turn_with_the_original_beside_it(dataset, capsys):
    folder = dataset()
    rows = exported(folder)
    assert len(rows) == 70 and tuple(rows[0]) == COLUMNS
    first = [row for row in rows if row["conversation_id"] == PLAIN[0].conversation_id]
    assert [(row["turn"], row["speaker"], row["strategy"]) for row in first[:3]] == [
        ("1", "supporter", "Greeting"),
        ("2", "customer", ""),
        ("3", "supporter", "Identity Verification"),
    ]
    assert [row["original"] for row in first] == [
        "customer: =raw, my number is 12",
        *[""] * 4,
        "supporter: Noted. </script>",
        *[""] * 4,
    ]
    chinese = [row["strategy"] for row in rows if row["language"] == "zh"]
    assert chinese[::2] == ["礼貌问候", "确认身份", "细化问题", "提供建议", "感谢与告别"]
    assert (folder.with_name("review") / "review.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    printed = capsys.readouterr().out
    assert (
        "conversations: 7 of 7, 70 turns" in printed
        and "original beside them: 2" in printed
        and "personal data" in printed
    )


def test_a_longer_original_is_spread_over_the_rows_in_order(dataset):
    folder = dataset(PLAIN[:1], originals=0)
    write_originals(
        folder,
        {PLAIN[0].conversation_id: ("s", tuple(Turn("customer", f"t{i}") for i in range(25)))},
    )
    cells = [row["original"].splitlines() for row in exported(folder)]
    assert [line for cell in cells for line in cell] == [f"customer: t{i}" for i in range(25)]
    assert {len(cell) for cell in cells} == {2, 3}


ALPHABET = [*"=+-@' ,;\t\r\n\"|1a＝\u00a0你.$:", "May ", "true"]


def test_every_text_comes_back_exactly_and_no_cell_is_dangerous_whatever_separates():
    draw = random.Random(5)
    drawn = ["".join(draw.choices(ALPHABET, k=draw.randint(1, 8))) for _ in range(4_000)]
    for text in (*NASTY, "", "'", "''", "'''=1", " =1", "' '=1", "x", *drawn):
        cell = guarded(text)
        assert unguarded(cell) == text
        assert unguarded(guarded(cell)) == cell
        assert not re.match(r"[ \u00a0]*[=+@＝＋－＠-]", cell), text
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL).writerow(["id", cell, "x"])
        for delimiter in ",;\t|":
            for cells in csv.reader(io.StringIO(line.getvalue(), newline=""), delimiter=delimiter):
                assert not any(re.match(r"[ \u00a0]*[=+@＝＋－＠-]", one) for one in cells), (
                    text,
                    delimiter,
                )


CONVERTED = (
    "0314",
    "9931939443153",
    "3/5",
    "10:30 am",
    "TRUE",
    "May 5",
    "5 May",
    "3月5日",
    "50%",
    "$12",
    "1e5",
    "(5)",
    "2024-03-05",
)
ORDINARY = (
    "Maybe 5",
    "5 people",
    "True enough",
    "March on",
    "Decide 5 things",
    "Hello",
    "你好",
    "'tis",
    "well - no",
    "1. First do this",
)


@pytest.mark.parametrize("text", CONVERTED)
def test_what_a_spreadsheet_would_convert_is_guarded(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_stand_as_they_are(text):
    assert guarded(text) == unguarded(text) == text


def test_a_sample_is_drawn_by_seed_and_grows(dataset, tmp_path):
    folder = dataset()

    def drawn(number, *options):
        out = tmp_path / f"r{number}"
        assert run("review", "export", folder, "--out", out, *options) == 0
        with (out / "review.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(dict.fromkeys(row["conversation_id"] for row in csv.DictReader(file)))

    three, five, other = (
        drawn(1, "--sample", 3),
        drawn(2, "--sample", 5),
        drawn(3, "--sample", 5, "--seed", 1),
    )
    assert len(three) == 3 and five[:3] == three and other != five


def test_decisions_are_not_overwritten_and_folders_without_conversations_refused(
    dataset, tmp_path, capsys
):
    folder = dataset()
    exported(folder)
    assert run("review", "export", folder, "--out", folder.with_name("review")) == 1
    assert "may hold decisions" in capsys.readouterr().err
    assert run("review", "export", folder, "--out", tmp_path / "x", "--sample", 0) == 1
    assert run("review", "export", tmp_path, "--out", tmp_path / "x") == 1
    assert not (tmp_path / "x").exists()


# and back


WAYS = {
    "as written": {},
    "semicolons": {"delimiter": ";"},
    "tabs in UTF-16": {"delimiter": "\t", "encoding": "utf-16"},
    "no byte order mark, LF": {"encoding": "utf-8", "newline": "\n"},
    "other columns": {"columns": (*reversed(COLUMNS), "notes")},
    "without what is not needed": {
        "columns": tuple(
            c for c in COLUMNS if c not in ("language", "topic", "original", "comment")
        )
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_the_round_trip_whatever_a_spreadsheet_saves(dataset, tmp_path, capsys, way):
    folder, out = dataset(), tmp_path / "out"
    rows = exported(folder)
    mark(rows, PLAIN[0], 4, decision="Keep ")
    mark(rows, PLAIN[1], 5, decision="fix", new_strategy="情感管理", comment="too cold")
    mark(rows, PLAIN[1], 6, new_text='他说：“好”; "ok",\r\n第二行 ')
    mark(rows, PLAIN[2], 10, decision="DROP")
    mark(rows, HARD[0], 3, new_strategy="PS", new_text="'=1+1 is what I typed")
    # Excel writes line breaks of cells as LF or CRLF and trims nothing; some programs do.
    for row in rows:
        row["text"] = f" {row['text']} ".replace("\n", "\r\n")
    random.Random(1).shuffle(rows)
    rows[10:10] = [dict.fromkeys(COLUMNS, ""), dict.fromkeys(COLUMNS, " ")]
    table = saved(tmp_path / "anna.csv", rows, **WAYS[way])
    assert run("review", "import", folder, table, "--out", out) == 0
    printed = capsys.readouterr().out
    before, after = dialogues(folder), dialogues(out)
    untouched = {one.conversation_id for one in (PLAIN[0], PLAIN[3], HARD[1], HARD[2])}
    assert {name for name in after if name in before} == untouched
    assert all(after[name] == before[name] for name in untouched)
    fixed = {
        dialogue[0]["text"]: dialogue for name, dialogue in after.items() if name not in before
    }
    assert set(fixed) == {"第1段对话里的第0句话。", "Turn 0 of 4."}
    chinese = before[PLAIN[1].conversation_id]
    chinese[4]["strategy"] = "EM"
    chinese[5]["text"] = '他说：“好”; "ok",\n第二行'
    assert fixed["第1段对话里的第0句话。"] == chinese
    hard = before[HARD[0].conversation_id]
    hard[2] = {"speaker": "supporter", "strategy": "PS", "text": "=1+1 is what I typed"}
    assert fixed["Turn 0 of 4."] == hard
    counts = json.loads((out / "build.json").read_text())["counts"]
    assert counts == {
        "made": 7,
        "review_conversations": {
            "dropped by the reviewers": 1,
            "fixed": 2,
            "kept": 1,
            "not reviewed": 3,
        },
        "review_turns_corrected": {"strategy": 2, "text": 2},
        "review_corrected_conversations_that_break_a_rule": {"no IV": 1},
        "review_disagreements": 0,
    }
    assert "breaks a rule of CSConv: no IV" in printed
    card = (out / "README.md").read_text()
    assert (
        "Reviewed by people (1 file of decisions)" in card
        and "review conversations: 3 not reviewed, 2 fixed" in card
    )
    originals = [
        json.loads(line)["conversation_id"] for line in originals_path(out).read_text().splitlines()
    ]
    assert (
        len(originals) == 2
        and set(originals) <= set(after)
        and PLAIN[0].conversation_id in originals
    )


def test_the_new_id_is_that_of_the_new_content_and_the_same_every_time(dataset, tmp_path):
    folder = dataset(PLAIN)
    rows = exported(folder)
    mark(rows, PLAIN[0], 2, new_text="Something else.")
    table = saved(tmp_path / "a.csv", rows)
    for name in ("one", "two"):
        assert run("review", "import", folder, table, "--out", tmp_path / name) == 0
    new = next(name for name in dialogues(tmp_path / "one") if name not in dialogues(folder))
    turns = [
        [turn["speaker"], turn["strategy"], turn["text"]]
        for turn in dialogues(tmp_path / "one")[new]
    ]
    assert turns[1] == ["customer", "", "Something else."] and new == content_id(
        "csconv", "en", turns
    )
    same = [
        (tmp_path / name / file).read_bytes()
        for file in ("build.json", "README.md")
        for name in ("one", "two")
    ]
    assert same[0] == same[1] and same[2] == same[3]


def test_a_second_review_counts_beside_the_first_and_unreviewed_may_go(dataset, tmp_path):
    folder = dataset(PLAIN)
    rows = exported(folder)
    for one in PLAIN[:2]:
        mark(rows, one, decision="keep")
    table = saved(tmp_path / "a.csv", rows)
    assert (
        run("review", "import", folder, table, "--out", tmp_path / "one", "--unreviewed", "drop")
        == 0
    )
    assert set(dialogues(tmp_path / "one")) == {one.conversation_id for one in PLAIN[:2]}
    rows = [row for row in rows if row["conversation_id"] in dialogues(tmp_path / "one")]
    assert (
        run(
            "review",
            "import",
            tmp_path / "one",
            saved(tmp_path / "b.csv", rows),
            "--out",
            tmp_path / "two",
        )
        == 0
    )
    record = json.loads((tmp_path / "two" / "build.json").read_text())
    assert record["counts"]["review_conversations"] == {"kept": 2, "not reviewed and so dropped": 2}
    assert record["counts"]["review_2_conversations"] == {"kept": 2}
    assert len(record["reviews"]) == 2


def test_a_card_is_read_back_as_it_was(dataset, shared_data, tmp_path, capsys):
    assert read_card(dataset() / "README.md") == CARD
    assert run("build", "star", "--source", shared_data / "star", "--out", tmp_path / "star") == 0
    from builders.cards.star import CARD as STAR

    star = read_card(tmp_path / "star" / "README.md")
    assert (star.title, star.licence, star.limits, star.source.split()) == (
        STAR.title,
        STAR.licence,
        STAR.limits,
        STAR.source.split(),
    )
    assert (star.made, star.copyright, star.tags) == (STAR.made.strip(), STAR.copyright, STAR.tags)
    assert star.citation.strip() == STAR.citation.strip()


ONE = PLAIN[0].conversation_id


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (
            {"conversation_id": "csconv-nobody"},
            "there is no conversation 'csconv-nobody' in the dataset",
        ),
        (
            {"text": "Turn 3 of 9."},
            (
                f"{ONE} turn 4: the text was changed in place, to 'Turn 3 of 9.'; corrections go"
                " into new_text"
            ),
        ),
        ({"strategy": "Others"}, f"{ONE} turn 4: the strategy was changed in place"),
        ({"check": "c000000000000"}, f"{ONE} turn 4 is not what was exported"),
        ({"turn": "11"}, f"{ONE} has turns 1 to 10, not '11'"),
        ({"turn": "four"}, f"{ONE} has turns 1 to 10, not 'four'"),
        (
            {"decision": "maybe"},
            f"{ONE}: the decision is 'maybe'; it must be keep, fix, drop or empty",
        ),
        ({"decision": "fix"}, f"{ONE}: the decision is fix, but nothing is corrected"),
        (
            {"decision": "keep", "new_text": "No."},
            f"{ONE}: the decision is keep, but turn 4 is corrected",
        ),
        (
            {"new_strategy": "Greeting"},
            f"{ONE} turn 4: strategy 'Greeting' for a turn of the customer",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_it_and_nothing_is_written(
    dataset, tmp_path, capsys, cells, says
):
    folder = dataset(PLAIN)
    rows = exported(folder)
    mark(rows, PLAIN[0], 4, **cells)
    assert (
        run("review", "import", folder, saved(tmp_path / "a.csv", rows), "--out", tmp_path / "out")
        == 1
    )
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_other_errors_of_a_table(dataset, tmp_path, capsys):
    folder = dataset(PLAIN)
    rows = exported(folder)

    def refused(table):
        assert run("review", "import", folder, table, "--out", tmp_path / "out") == 1
        return capsys.readouterr().err

    mark(rows, PLAIN[0], 1, new_strategy="Greetings", decision="fix")
    mark(rows, PLAIN[2], 1, decision="keep")
    mark(rows, PLAIN[2], 2, decision="drop")
    error = refused(saved(tmp_path / "a.csv", rows))
    assert (
        "2 problems" in error
        and "closest: Greeting" in error
        and f"{PLAIN[2].conversation_id}: its rows say drop and keep" in error
    )
    rows = exported_again = [dict(row, decision="", new_strategy="") for row in rows]
    assert "occurs twice" in refused(
        saved(tmp_path / "a.csv", [*rows, {**exported_again[0], "decision": "drop"}])
    )
    assert (
        run(
            "review",
            "import",
            folder,
            saved(tmp_path / "a.csv", [*rows, rows[0]]),
            "--out",
            tmp_path / "same",
        )
        == 1
    )
    capsys.readouterr()
    (tmp_path / "a.csv").write_text("what,ever\n1,2\n")
    assert "no column conversation_id" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes("编号,文字\n".encode("gb18030"))
    assert "CSV UTF-8" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(",".join(COLUMNS) + '\n"never closed')
    assert "line 2" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("")
    assert "found nothing" in refused(tmp_path / "a.csv")
    assert "is no file" in refused(tmp_path / "none.csv")
    assert run("review", "import", folder, tmp_path / "a.csv", "--out", folder) == 1
    for row in rows:
        row["decision"] = "drop"
    assert "no conversation is left" in refused(saved(tmp_path / "a.csv", rows))
    assert not (tmp_path / "out").exists()


def test_reviewers_who_disagree_are_reported_and_the_option_decides(dataset, tmp_path, capsys):
    folder = dataset(PLAIN)
    rows = exported(folder)
    mark(rows, PLAIN[0], decision="keep")
    mark(rows, PLAIN[1], decision="drop")
    mark(rows, PLAIN[2], 2, new_text="Anna's words")
    anna = saved(tmp_path / "anna.csv", rows)
    mark(rows, PLAIN[0], decision="drop")
    mark(rows, PLAIN[2], 2, new_text="Bo's words")
    bo = saved(tmp_path / "bo.csv", rows)
    assert run("review", "import", folder, anna, bo, "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "2 disagreements" in error and f"{ONE}: anna.csv: keep; bo.csv: drop" in error
    assert "Anna's words" in error and "--on-conflict" in error
    for choice, left in (("drop", {PLAIN[3]}), ("keep", {PLAIN[0], PLAIN[2], PLAIN[3]})):
        assert (
            run(
                "review",
                "import",
                folder,
                anna,
                bo,
                "--out",
                tmp_path / choice,
                "--on-conflict",
                choice,
            )
            == 0
        )
        assert set(dialogues(tmp_path / choice)) == {one.conversation_id for one in left}
        assert f"disagreement, so {choice}: {ONE}" in capsys.readouterr().out
        assert (
            json.loads((tmp_path / choice / "build.json").read_text())["counts"][
                "review_disagreements"
            ]
            == 2
        )


# the page


def page_data(folder):
    text = (folder.with_name("review") / "review.html").read_text(encoding="utf-8")
    return text, json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    )


def test_the_page_is_one_file_that_asks_for_nothing_and_holds_every_text(dataset):
    folder = dataset()
    exported(folder)
    text, data = page_data(folder)
    assert (
        "/* page" not in text
        and "/* data */" not in text
        and "alert(1)</script>" not in text
        and text.count("</script>") == 2
    )
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\(""", text)
    turns = {one["id"]: one["turns"] for one in data["conversations"]}
    assert turns == {
        name: [dict(turn) for turn in dialogue] for name, dialogue in dialogues(folder).items()
    }


def decisions(folder, *rows, **more):
    """A file as the page saves it."""
    _, data = page_data(folder)
    checks = {one["id"]: one["check"] for one in data["conversations"]}
    listed = [
        {"check": checks.get(row["conversation_id"], "c0"), "comment": "", "fixes": [], **row}
        for row in rows
    ]
    path = folder.with_name("review-bo.json")
    path.write_text(
        json.dumps(
            {"format": FORMAT, "dataset": "set", "reviewer": "Bo", "decisions": listed} | more
        )
    )
    return path


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"conversation_id": "x", "decision": "keep"}, "there is no conversation 'x'"),
        (
            {"conversation_id": ONE, "decision": "keep", "check": "c1"},
            f"{ONE} has changed since the page was written",
        ),
        ({"conversation_id": ONE, "decision": "fix"}, "nothing is corrected"),
        ({"conversation_id": ONE, "decision": "burn"}, "the decision is 'burn'"),
        (
            {"conversation_id": ONE, "decision": "fix", "fixes": [{"turn": 99, "text": "x"}]},
            f"{ONE} has no turn 99",
        ),
        (
            {"conversation_id": ONE, "decision": "fix", "fixes": [{"turn": 1, "strategy": "XX"}]},
            f"{ONE} turn 1: strategy 'XX'",
        ),
        ({"conversation_id": ONE}, "not in the form that review.html saves"),
        (
            {"conversation_id": ONE, "decision": "fix", "fixes": 5},
            "not in the form that review.html saves",
        ),
    ],
)
def test_saved_decisions_that_do_not_fit_are_errors_that_name_them(
    dataset, tmp_path, capsys, row, says
):
    folder = dataset(PLAIN)
    exported(folder)
    assert run("review", "import", folder, decisions(folder, row), "--out", tmp_path / "out") == 1
    assert says in capsys.readouterr().err
    assert (
        run(
            "review", "import", folder, decisions(folder, format="other"), "--out", tmp_path / "out"
        )
        == 1
    )
    assert "not a file of decisions" in capsys.readouterr().err


def test_the_page_in_a_browser_decides_corrects_remembers_and_saves_what_import_reads(
    dataset, tmp_path
):
    folder, out = dataset(), tmp_path / "out"
    exported(folder)
    target = folder.with_name("review") / "review.html"
    order = [one["id"] for one in page_data(folder)[1]["conversations"]]
    nasty = order.index(HARD[1].conversation_id)
    with opened(target) as (page, complaints):
        assert page.title() == "Review of set"
        shown = page.locator("#rewrite > li > div:last-child").all_text_contents()
        assert shown == [turn["text"] for turn in dialogues(folder)[order[0]]]
        page.keyboard.press("k")  # the first is kept, and the next one comes
        page.keyboard.press("d")  # the second is dropped
        page.get_by_label("Reviewer").fill("Bo Ek")
        page.get_by_label("Comment").fill("d k f: typing decides nothing")
        page.locator("#list button").nth(2).click()
        page.get_by_label("Strategy of turn 3").select_option("EM")
        page.get_by_role("button", name="Edit turn 2", exact=True).click()
        page.get_by_label("New text of turn 2").fill("<i>new</i> words")
        page.keyboard.press("Escape")
        assert (
            page.locator("#rewrite li").nth(1).locator("div").last.text_content()
            == "<i>new</i> words"
        )
        page.keyboard.press("k")
        assert "Clear" in page.locator("#hint").text_content()  # corrections are not lost to a key
        assert page.locator("#progress").text_content() == "3 of 7 decided"
        page.locator("#list button").nth(nasty).click()
        assert page.locator("#rewrite > li > div:last-child").all_text_contents() == [
            t["text"] for t in dialogues(folder)[order[nasty]]
        ]
        page.reload()
        assert page.locator("#progress").text_content() == "3 of 7 decided"
        with page.expect_download() as found:
            page.keyboard.press("s")
        assert found.value.suggested_filename == "review-Bo-Ek.json"
        found.value.save_as(tmp_path / "bo.json")
        assert complaints == []
    assert run("review", "import", folder, tmp_path / "bo.json", "--out", out) == 0
    before, after = dialogues(folder), dialogues(out)
    assert order[0] in after and order[1] not in after and order[2] not in after and len(after) == 6
    expected = before[order[2]]
    expected[1]["text"], expected[2]["strategy"] = "<i>new</i> words", "EM"
    assert [dialogue for name, dialogue in after.items() if name not in before] == [expected]
