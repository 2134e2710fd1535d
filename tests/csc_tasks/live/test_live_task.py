"""cscx_conv_live from lm_eval to the board, with every kind of customer."""

import json
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.cli import main
from csc_tasks.errors import CscError, DataError, ModelError, SettingError
from csc_tasks.live import Brief, LiveDialogue, dialogues_of
from csc_tasks.live.briefs import brief_by_rule, briefs_hash
from csc_tasks.runs.conditions import conditions
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from csc_tasks.timing import timings_in
from csc_tasks.verify import Trust, trusted_corpora
from csc_tasks.verify.verdict import short
from leaderboard.customer_audit import AuditedDimension, CustomerAudit, load_audit
from leaderboard.folder import load_board
from leaderboard.judging.units import WHOLE, read_models
from leaderboard.numbers.variance import components
from leaderboard.reading.audits import REPEATED, Badge, Report, badge_of
from tests.support.fakes import write_corpus
from tests.support.handed_in import forged, hand_in, verdicts
from tests.support.live import ORDER, SCRIPT, SECOND, by_turn, live_of
from tests.support.llm_server import Act, llm_server
from tests.support.play_models import random_model
from tests.support.playing import backend

TASK = "cscx_conv_live"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), [ORDER, SECOND], [])


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    return play(tmp_path_factory.mktemp("run"), corpus)


def play(root, corpus, reply=by_turn, **settings):
    return hand_in(root, [TASK], reply, {"csc_corpus": str(corpus)} | settings)


def number(results, name):
    return json.loads(results.read_text())["results"][TASK][f"{name},none"]


def csc(results):
    return json.loads(results.read_text())["configs"][TASK]["metadata"]["csc"]


def untimed(results):
    records = live_of(results)
    for own in records.values():
        for record in own:
            del record["timings"]
    return records


def customer_says(body, number=0):
    """A model that plays a customer: gives its name where the support's last line asks for one, is
    satisfied when it hears that something was sent, and else says what it has heard.
    """
    dialogue = body["messages"][-1]["content"]
    heard = [line for line in dialogue.splitlines() if line.startswith("Supporter: ")]
    last = heard[-1] if heard else ""
    reply = {"say": f"You said {len(heard)} things.", "ending": "goes_on", "goal_reached": False}
    if "name" in last:
        reply["say"] = "Jane Miller."
    if "sent" in last:
        reply |= {"say": "Thanks!", "ending": "satisfied", "goal_reached": True}
    return Act(json.dumps(reply))


def with_server(root, corpus, script=customer_says, out="run", **settings):
    """A run whose customer is played by a server; returns its results and the server."""
    with llm_server(script) as server:
        own = {"csc_customer": "openai:player", "csc_customer_url": server.url}
        own |= {"csc_customer_journal": str(root / "customer.sqlite")}
        return play(root / out, corpus, **(own | settings)), server


def test_a_whole_conversation_is_played_with_the_recorded_customer(run):
    record = live_of(run)["order"][0]
    (dialogue,) = dialogues_of({"live": [record]}, "x")
    assert [(turn.speaker, turn.text, turn.strategy) for turn in dialogue.turns] == [
        ("customer", "My parcel has not arrived and I am really annoyed!", None),
        ("supporter", "What is your order number?", "IV"),
        ("customer", "It is AB-48213.", None),
        ("supporter", "May I have your name, please?", "IV"),
        ("customer", "Jane Miller", None),
        ("supporter", "I have sent another one.", "RI"),
        ("customer", "Great, that is quick. When will it be here?", None),
        ("supporter", "Thank you, goodbye.", "AC"),
        ("customer", "No, thanks, bye.", None),
    ]
    assert (dialogue.ending, dialogue.goal, dialogue.customer) == ("satisfied", None, "recorded")
    assert dialogue.brief == brief_by_rule(ORDER)
    assert record["goal_by_rule"] == 1.0 and record["live_turns"] == 4.0
    # The supporter of the other one begins, and what it asks its customer never told.
    other = live_of(run)["second"][0]
    assert [turn["speaker"] for turn in other["turns"]][:2] == ["supporter", "customer"]
    assert [turn["text"] for turn in other["turns"] if turn["unfit"]] != []


def test_results_say_who_played_and_how_and_it_makes_the_run_what_it_is(run, corpus, tmp_path):
    stated = csc(run)
    briefs = briefs_hash([brief_by_rule(ORDER), brief_by_rule(SECOND)])
    assert {key: stated[key] for key in ("customer", "customer_prompt", "briefs", "max_turns")} == {
        "customer": "recorded",
        "customer_prompt": "recorded:1",
        "briefs": briefs,
        "max_turns": 20,
    }
    assert (stated["unit"], stated["generated"], stated["brief_source"]) == ("live", True, "rule:1")
    shorter = play(tmp_path, corpus, csc_max_turns=2)
    one, two = (conditions(json.loads(r.read_text()), TASK) for r in (run, shorter))
    assert {name for name, _ in {*one} ^ {*two}} == {"csc.max_turns"}
    assert number(shorter, "capped") == 1.0 and number(shorter, "live_turns") == 2.0
    assert {record["ending"] for own in live_of(shorter).values() for record in own} == {"cap"}


@pytest.mark.parametrize("customer", ["recorded", "scripted"])
def test_verify_plays_it_again_and_finds_what_was_changed(corpus, tmp_path, customer):
    results = play(tmp_path / "run", corpus, csc_customer=customer)
    trusted = trusted_corpora([str(corpus)])
    verdict = verdicts(results, trusted)[TASK]
    assert verdict.trust is Trust.RESCORED and not verdict.contradicted

    def changed(name, change):
        def forge(text, lines):
            change(text, lines[0])

        copy = forged(results, tmp_path / name, TASK, forge)
        return verdicts(copy, trusted)[TASK]

    def customer_turn(text, line):
        turn = next(turn for turn in line["live"][0]["turns"] if turn["speaker"] == "customer")
        turn["text"] = "I am so happy with you!"

    def supporter_turn(text, line):
        turn = next(turn for turn in line["live"][0]["turns"] if turn["speaker"] == "supporter")
        turn["text"] = "Hello, dear customer, how can I help you?"

    def ending(text, line):
        line["live"][0]["ending"] = "transferred"

    def brief(text, line):
        line["live"][0]["brief"]["aim"] = "something else"

    def value(text, line):
        text["results"][TASK]["live_turns,none"] = 1.0

    def failure(text, line):
        # What the customer did not end would count in nothing.
        line["live"][0]["ending"] = "failed"
        line["live"][0] |= {"satisfied": None, "goal_by_rule": None, "live_turns": None}

    def no_brief(text, line):
        # As if somebody else had made the briefs, and this conversation had none to be held to.
        text["configs"][TASK]["metadata"]["csc"]["brief_source"] = "stored"
        line["live"][0]["brief"] = None
        customer_turn(text, line)

    for change, item in (
        (customer_turn, "customer"),
        (supporter_turn, "turns"),
        (ending, "customer"),
        (brief, "brief"),
        (value, "live_turns"),
        (failure, "customer"),
        (no_brief, "brief"),
    ):
        found = changed(change.__name__, change)
        assert found.contradicted, change.__name__
        assert item in {one.item for one in found.findings}, change.__name__


def test_csc_score_and_judges_read_it(run, tmp_path):
    with redirect_stdout(StringIO()):
        words = ["score", str(run.parent), "--metrics", "live_turns", "--out", str(tmp_path)]
        assert main(words) == 0
    (rescored,) = tmp_path.rglob("results_*.json")
    assert number(rescored, "live_turns") == number(run, "live_turns")
    (judged,) = read_models([run.parent])
    units = judged.with_texts(list(judged.units)).units
    unit = units[f"{TASK}/order/all"]
    assert unit.turn == WHOLE and unit.conversation[1] == ("supporter", SCRIPT[0].split("] ")[1])
    with pytest.raises(DataError, match="no replies to rate"):
        read_models([run.parent], whole=False)


def test_several_repeats_are_several_dialogues(corpus, tmp_path):
    results, server = with_server(tmp_path, corpus, csc_repeats=2)
    records = live_of(results)["order"]
    assert [record["repeat"] for record in records] == [0, 1]
    assert len(dialogues_of({"live": records}, "x")) == 2
    assert {body["seed"] for body in server.asked} > {server.asked[0]["seed"]}
    verdict = verdicts(results, trusted_corpora([str(corpus)]))[TASK]
    assert verdict.trust is Trust.RESCORED and not verdict.contradicted
    with pytest.raises(SettingError, match="csc_repeats=2: replies are greedy"):
        play(tmp_path / "recorded", corpus, csc_repeats=2)


def test_a_model_plays_the_customer_from_its_brief_and_not_from_the_recording(corpus, tmp_path):
    results, server = with_server(tmp_path, corpus)
    record = live_of(results)["order"][0]
    said = [turn["text"] for turn in record["turns"] if turn["speaker"] == "customer"]
    assert said == ["You said 0 things.", "You said 1 things.", "Jane Miller.", "Thanks!"]
    assert (record["ending"], record["goal"], record["goal_reached"]) == ("satisfied", True, 1.0)
    assert csc(results)["customer"] == "openai:player"
    assert re.fullmatch("[0-9a-f]{16}", csc(results)["customer_prompt"])
    asked = json.dumps([body["messages"] for body in server.asked])
    assert "AB-48213" in asked and brief_by_rule(ORDER).aim in asked
    for conversation in (ORDER, SECOND):
        for turn in conversation.dialogue:
            assert turn.speaker == "customer" or turn.text not in asked
    verdict = verdicts(results, trusted_corpora([str(corpus)]))[TASK]
    assert verdict.trust is Trust.RESCORED and not verdict.contradicted
    assert any("another model" in one.sentence for one in verdict.findings)


def test_the_same_command_goes_on_from_the_journal_and_a_budget_ends_it(corpus, tmp_path):
    with pytest.raises(ModelError) as error:
        with_server(tmp_path, corpus, csc_customer_max_requests=3)
    assert "customer.sqlite, and the same command goes on from there" in str(error.value)
    first, server = with_server(tmp_path, corpus)
    again, second = with_server(tmp_path, corpus, out="again")
    assert server.count > 0 and second.count == 0
    assert untimed(first) == untimed(again)


def test_a_customer_without_a_usable_answer_is_nobodys_failure_and_counted(corpus, tmp_path):
    def broken(body, number):
        hopeless = "savings" in body["messages"][0]["content"]
        return Act("no JSON at all") if hopeless else customer_says(body)

    results, _ = with_server(tmp_path, corpus, broken)
    record = live_of(results)["second"][0]
    assert (record["ending"], record["goal_reached"], record["satisfied"]) == ("failed", None, None)
    assert record["customer_failure"] == "customer: malformed reply"
    assert number(results, "customer_failed") == 0.5 and number(results, "goal_reached") == 1.0
    assert LiveDialogue.from_json(record, "x").ending == "failed"


def test_api_backends_and_lockstep_play_as_the_plain_way_does(corpus, tmp_path):
    lm = backend(random_model(tmp_path / "model"), batch_size=3)

    def dialogues(play, **settings):
        own = {"csc_corpus": str(corpus), "csc_play": play, "csc_max_turns": 3} | settings
        manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=own)
        results = simple_evaluate(
            lm, tasks=[TASK], task_manager=manager, bootstrap_iters=0, gen_kwargs="max_gen_toks=8"
        )
        mode = results["configs"][TASK]["metadata"]["csc"]["play"]["mode"]
        records = [record for sample in results["samples"][TASK] for record in sample["live"]]
        # What it took is another thing every time.
        assert all(len(record.pop("timings")) == record["live_turns"] for record in records)
        return mode, records

    (one, plain), (two, lockstep) = dialogues("plain"), dialogues("auto")
    assert (one, two) == ("plain", "lockstep") and plain == lockstep
    with llm_server(lambda body, number: Act(customer_says(body).content, delay=0.05)) as server:
        own = {"csc_customer": "openai:player", "csc_customer_url": server.url}
        slow = {"csc_customer_journal": str(tmp_path / "a.sqlite")} | own
        three, lockstep = dialogues("auto", **slow)
        assert three == "lockstep" and server.most > 1
        again = {"csc_customer_journal": str(tmp_path / "b.sqlite")} | own
        assert dialogues("plain", **again)[1] == lockstep


def test_the_evaluated_models_own_server_plays_both_sides_at_once(corpus, tmp_path):
    def both(body, number):
        text = body["messages"][-1]["content"]
        if "as JSON:" in text:
            return Act(customer_says(body).content, delay=0.02)
        return Act(by_turn(text), delay=0.02)

    with llm_server(both) as server:
        results = simple_evaluate(
            "local-chat-completions",
            model_args={
                "model": "served",
                "base_url": f"{server.url}/chat/completions",
                "num_concurrent": 2,
                "tokenizer_backend": "none",
            },
            tasks=[TASK],
            apply_chat_template=True,
            task_manager=TaskManager(
                include_path=str(TASKS_DIR),
                include_defaults=False,
                metadata={
                    "csc_corpus": str(corpus),
                    "csc_customer": "same",
                    "csc_customer_journal": str(tmp_path / "c.sqlite"),
                },
            ),
            bootstrap_iters=0,
        )
    samples = {s["doc"]["conversation_id"]: s["live"][0] for s in results["samples"][TASK]}
    for record in samples.values():
        # Each of the model's turns is timed as a request of its own; the customer's are not.
        timings = timings_in(record)
        assert len(timings) == record["live_turns"]
        assert {timing.measured for timing in timings} == {"request"}
        assert all(0 < timing.last_token_s < 600 for timing in timings)
    assert {record["ending"] for record in samples.values()} == {"satisfied"}
    assert server.most >= 2
    assert {body["model"] for body in server.asked} == {"served"}


def test_a_model_in_this_process_is_no_server(corpus, tmp_path):
    with pytest.raises(
        SettingError, match=r"csc_customer=same: the evaluated model .* is no server"
    ):
        play(tmp_path, corpus, csc_customer="same")


def test_briefs_that_the_corpus_has_are_used_and_checked(corpus, tmp_path):
    root = write_corpus(tmp_path / "corpus", [ORDER, SECOND], [])
    (root / "briefs").mkdir()
    rows = [brief_by_rule(item).to_json() | {"mood": "sleepy"} for item in (ORDER, SECOND)]

    def write(rows):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (root / "briefs" / "test.jsonl").write_text(text, encoding="utf-8")

    write(rows)
    results = play(tmp_path / "run", root)
    assert csc(results)["brief_source"] == "stored"
    assert live_of(results)["order"][0]["brief"]["mood"] == "sleepy"
    assert verdicts(results, trusted_corpora([str(root)]))[TASK].trust is Trust.RESCORED
    doctored_briefs_do_not_verify(results, tmp_path, root, rows)
    write(rows[:1])
    with pytest.raises(DataError, match="second has no brief in its config briefs, which has 1"):
        play(tmp_path / "lacking", root)
    write([rows[0] | {"aim": ORDER.dialogue[7].text}, rows[1]])
    with pytest.raises(DataError, match="brief of order quotes the recorded supporter"):
        play(tmp_path / "quoting", root)


def doctored_briefs_do_not_verify(results, tmp_path, root, rows):
    """The run is made consistent with each change: its dialogues, numbers and briefs' hash."""
    trusted = trusted_corpora([str(root)])
    easier = rows[0]["aim"], "I only want to say hello."
    more = rows[0]["facts"], [*rows[0]["facts"], {"name": "account number", "value": "99-1"}]
    for field, (there, wrong) in {"aim": easier, "facts": more, "mood": ("sleepy", "calm")}.items():

        def forge(text, lines, change=(field, wrong)):
            line = next(line for line in lines if line["doc"]["conversation_id"] == "order")
            line["live"][0]["brief"] |= dict([change])
            own = [Brief.from_json(line["live"][0]["brief"], "x") for line in lines]
            csc = text["configs"][TASK]["metadata"]["csc"]
            csc["briefs"] = briefs_hash(own)

        verdict = verdicts(forged(results, tmp_path / field, TASK, forge), trusted)[TASK]
        found = next(one for one in verdict.findings if one.item == "stored brief")
        assert found.sentence == f"not what the trusted corpus has, in order ({field})"
        assert (found.claimed, found.recomputed) == (short(wrong), short(there))
        assert verdict.contradicted and not verdict.proven and verdict.trust is Trust.CLAIMED
    # Who holds the documents and not the briefs does not know what the customer was told.
    bare = write_corpus(tmp_path / "bare", [ORDER, SECOND], [])
    verdict = verdicts(results, trusted_corpora([str(bare)]))[TASK]
    assert verdict.trust is Trust.CLAIMED and not verdict.contradicted
    assert any("briefs that the run calls stored" in one.sentence for one in verdict.findings)


def board(root, results, corpus, *audits):
    words = ["collect", str(results.parent), "--out", str(root), "--corpus", str(corpus)]
    for audit in audits:
        words += ["--audit", str(audit)]
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()):
        assert main(words) == 0
    (table,) = load_board(root).tables
    return table, printed.getvalue()


def audit(root, results, **changes):
    """A report about the customer of a run, on one dimension, in 30 conversations."""
    stated = csc(results)
    tested = AuditedDimension(
        id="length", title="Length", asks="?", distance=0.1, low=0.0, high=0.2,
        halves=(0.1, 0.2), p=0.5, adjusted=0.5,
    )  # fmt: skip
    report = CustomerAudit(
        customer=stated["customer"], verdict="pass", failed=(), undecided=(),
        corpus=stated["content_hash"], corpus_name="x", config="csconv", split="test",
        revision=None, customer_prompt=stated["customer_prompt"],
        customer_temperature=stated.get("customer_temperature"), briefs=stated["briefs"],
        recorded="x", max_turns=None, runs=(), language="en", models=(), conversations=30,
        counts={}, endings={}, unfit=None, seed=0,
        dimensions=(tested,), cannot_see=(),
    )  # fmt: skip
    signed = report.model_copy(update=changes).signed()
    (root / "audit.json").write_text(signed.model_dump_json())
    return root / "audit.json"


FAILED = {
    "id": "length",
    "title": "Length",
    "asks": "?",
    "distance": 9.0,
    "low": 8.0,
    "high": 10.0,
    "halves": (0.1, 0.2),
    "p": 0.001,
    "adjusted": 0.001,
}


def failing(**changes):
    return AuditedDimension(**(FAILED | {"failed": True} | changes))


def test_a_simulated_customer_is_ranked_only_where_an_audit_has_passed(run, corpus, tmp_path):
    table, _ = board(tmp_path / "recorded", run, corpus)
    assert table.setting.audit == "recorded, needs no audit"
    assert any(column.ranked for column in table.columns)
    scripted = play(tmp_path / "scripted", corpus, csc_customer="scripted")

    def ranked(name, *audits):
        table, printed = board(tmp_path / name, scripted, corpus, *audits)
        assert f"customer scripted: {table.setting.audit}" in printed
        return table.setting.audit.partition(" (report ")[0], any(
            column.ranked for column in table.columns
        )

    assert ranked("none") == ("not audited", False)
    # Anybody can write that a customer passes (test_believing.py: one that can be believed).
    says = "audit claimed, not recomputed: it says audit {}, but the runs that it is about are not"
    made_up, where = audit(tmp_path, scripted), " here with their samples"
    assert ranked("passed", made_up) == (says.format("passed") + where, False)
    bad = {"verdict": "fail", "failed": ("length",), "dimensions": (failing(),)}
    failed = audit(tmp_path, scripted, **bad)
    assert ranked("failed", failed) == (says.format("failed on length") + where, False)
    # A failure counts whatever is not known of the run that was audited.
    failed = audit(tmp_path, scripted, **bad, customer_prompt=None, briefs=None)
    assert ranked("unknown", failed) == (says.format("failed on length") + where, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"corpus": "another"},
        {"customer": "openai:x"},
        {"customer_prompt": "scripted:0"},
        {"customer_temperature": 1.5},
        {"briefs": "0123456789abcdef"},
    ],
)
def test_the_pass_of_another_customer_ranks_nothing(run, tmp_path, changes):
    (measurement,) = read_results(run, [])
    simulated = measurement.provenance.model_copy(update={"customer": "scripted"})
    measurement = replace(measurement, provenance=simulated)
    own = {"customer": "scripted"} | changes
    files = frozenset([measurement.samples])
    whole = load_audit(audit(tmp_path, run, customer="scripted"))
    assert badge_of([measurement], [Report(whole, REPEATED, files=files)]).ranked
    badge = badge_of([measurement], [Report(whole, REPEATED, files=frozenset([tmp_path]))])
    name = measurement.identity.name
    assert not badge.ranked
    assert badge.text == (
        f"audit of other runs, passed: it is not of those of {name}; audit them too"
    )
    other = Report(load_audit(audit(tmp_path, run, **own)), REPEATED, files=frozenset([tmp_path]))
    assert badge_of([measurement], [other]) == Badge("scripted", "not audited", False)


def test_a_customer_that_each_model_plays_itself_is_never_ranked(run, tmp_path):
    (measurement,) = read_results(run, [])
    own = measurement.provenance.model_copy(update={"customer": "same"})
    measurement = replace(measurement, provenance=own)
    whole = load_audit(audit(tmp_path, run, customer="same"))
    report = Report(whole, REPEATED, files=frozenset([measurement.samples]))
    assert not badge_of([measurement], [report]).ranked


@pytest.mark.parametrize(
    "changes",
    [
        {"failed": ("length",)},
        {"verdict": "undecided"},
        {"conversations": 29},
        {"dimensions": ()},
        {"dimensions": (failing(),)},
        {"dimensions": (failing(failed=False),)},
        {"dimensions": (failing(failed=False, adjusted=0.5, p=0.6),)},
        {"dimensions": (failing(failed=False, adjusted=None),)},
        {"dimensions": (failing(failed=False, missing="no briefs"),)},
        {"undecided": ("few",)},
    ],
)
def test_a_pass_that_its_own_numbers_do_not_give_is_refused(run, tmp_path, changes):
    with pytest.raises(DataError, match="does not follow from its dimensions"):
        load_audit(audit(tmp_path, run, **changes))


def test_a_report_without_what_it_rests_on_is_refused(run, tmp_path, capsys):
    report = json.loads(audit(tmp_path, run).read_text())
    names = ("customer", "corpus", "failed", "hash", "verdict")
    (tmp_path / "bare.json").write_text(json.dumps({name: report[name] for name in names}))
    words = [str(run.parent), "--out", str(tmp_path / "x"), "--audit", str(tmp_path / "bare.json")]
    assert main(["collect", *words]) == 1
    assert "bare.json: undecided: Field required; make it again" in capsys.readouterr().err


def test_samples_are_read_as_any_others(run):
    logged = read_run(next(run.parent.glob("samples_*")))
    assert logged.unit == "live" and len(logged.records) == 2
    (measurement,) = read_results(run, [])
    assert measurement.items == 2 and measurement.provenance.customer == "recorded"


def test_what_does_not_fit_is_one_line(corpus, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for settings, words in (
        ({"csc_customer": "openai:m"}, "OPENAI_API_KEY is not set; set it, or name another server"),
        ({"csc_customer": "openai:m", "csc_customer_url": "here"}, "base URL 'here' is not http"),
        ({"csc_customer": "openai:m", "csc_customer_price": "5"}, "price '5' is not IN,OUT"),
        (
            {"csc_customer": "openai:m", "csc_customer_max_cost": 1},
            "needs prices: csc_customer_price",
        ),
        ({"csc_customer": "robot"}, "csc_customer='robot': choose"),
        ({"csc_max_turns": 0}, "csc_max_turns=0: must be a whole number"),
        ({"csc_customer_temperature": -1}, "csc_customer_temperature=-1.0"),
        ({"csc_metrics": "bleu_4"}, "csc_metrics asks for bleu_4"),
    ):
        with pytest.raises(CscError) as error:
            play(tmp_path, corpus, **settings)
        assert words in str(error.value) and "\n" not in str(error.value)


def test_csc_variance_splits_runs_with_several_customers(run, corpus, tmp_path):
    scripted = play(tmp_path / "scripted", corpus, csc_customer="scripted")
    folders = [str(run.parent), str(scripted.parent)]
    with redirect_stdout(StringIO()) as printed:
        assert main(["variance", *folders, "--metrics", "live_turns,goal_reached"]) == 0
    turns = {
        name: [record["live_turns"] for own in live_of(results).values() for record in own]
        for name, results in (("recorded", run), ("scripted", scripted))
    }
    table = [[[turns["recorded"][i]], [turns["scripted"][i]]] for i in range(2)]
    made = components(
        {(f"c{i}", f"k{j}"): own for i, row in enumerate(table) for j, own in enumerate(row)}
    )
    goal, counted = printed.getvalue().splitlines()[1:]
    assert "live_turns" in counted and f"customer {made.customer**0.5:.1f}" in counted
    assert "both N/A" in counted and "2 conversations x 2 customers x 1 repeats" in counted
    # A recorded customer gives no verdict: the scripted one is alone.
    assert "goal_reached" in goal and "customer N/A" in goal
    shorter = play(tmp_path / "shorter", corpus, csc_max_turns=2)
    with redirect_stderr(StringIO()) as said:
        assert main(["variance", str(run.parent), str(shorter.parent)]) == 1
    assert "two runs with the customer recorded" in said.getvalue()
