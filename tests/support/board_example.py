"""A small board, made by hand: a model with an awkward name, its adapter, a baseline, one reported
row. For the page and for publishing.
"""

from pathlib import Path

from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.verify import Trust
from leaderboard import board as b
from leaderboard import folder
from leaderboard import model_report as r

BASE, ADAPTER, AWKWARD, BIGRAM = (
    "org__base-7b",
    "org__base-7b-rolecs",
    "script__alert-1-script-ab12cd",
    "baseline__bigram",
)
METRICS = (
    ("strategy_acc", "Strategy accuracy", 100.0, 1),
    ("strategy_macro_f1", "Macro-F1", 100.0, 1),
    ("bleu_4_en", "BLEU-4 en", 1.0, 2),
)
TASKS = (("csc_conv_ref", "Reference context"), ("csc_conv_gen", "Generated context"))


def value(number: float, error: float = 0.02, items: int = 504, clusters: int = 60) -> b.Value:
    return b.Value(
        value=number,
        stderr=error,
        low=number - 2 * error,
        high=number + 2 * error,
        items=items,
        clusters=clusters,
    )


def columns() -> tuple[b.Column, ...]:
    """As csc collect puts them: strategy accuracy in both contexts, then the others of each."""
    by_task = (
        b.Column(
            key=f"{task}/{name}",
            task=task,
            group=group,
            metric=name.removesuffix("_en"),
            language="en" if name.endswith("_en") else None,
            label=label,
            higher_is_better=True,
            scale=scale,
            digits=digits,
            signature=f"{name}|version:1",
            headline=name != "strategy_macro_f1",
            ranked=True,
        )
        for task, group in TASKS
        for name, label, scale, digits in METRICS
    )
    return tuple(sorted(by_task, key=lambda column: column.metric != "strategy_acc"))


def row(slug: str, *numbers: float) -> b.Row:
    """numbers: METRICS in the first of TASKS, then in the second."""
    run = b.Run(
        date="2026-11-20T18:15:55+00:00",
        documents=60,
        items=504,
        conversations=60,
        samples=True,
        raw=f"raw/{slug}/results_2026.json",
        sha256="0" * 64,
        task_version="1.0",
        project="0.1.0",
        lm_eval_version="0.4.13",
        git_hash="8bc837a",
        seconds=118.1,
        trust=Trust.RESCORED,
        corpus="demo",
        proven=True,
    )
    keys = [f"{task}/{name}" for task, _ in TASKS for name, *_ in METRICS]
    values = {key: value(number) for key, number in zip(keys, numbers, strict=False)}
    trusts = dict.fromkeys(values, Trust.RESCORED)
    return b.Row(model=slug, runs={task: run for task, _ in TASKS}, values=values, trusts=trusts)


def contrasts() -> tuple[b.Contrast, ...]:
    """Reference and generated context of the base, and the base without its adapter. The second
    lacks 3 of the conversations.
    """

    def number(metric, first, second):
        return b.ContrastNumber(
            metric=metric,
            first=first,
            second=second,
            difference=value(first - second, 0.02),
            p=0.004,
            p_holm=0.008,
            alone=(3, 0),
        )

    def side(slug, task, level):
        return b.ContrastSide(model=slug, task=task, level=level)

    (ref, reference), (gen, generated) = TASKS
    nothing = b.Value(value=None, items=0, clusters=1, method="none", reason="no value")
    absent = number("bleu_4_en", 0.0, 0.0).model_copy(
        update={"first": None, "second": None, "difference": nothing, "p": None, "p_holm": None}
    )
    return (
        b.Contrast(
            family="context",
            title="Reference and generated context",
            first=side(BASE, ref, reference),
            second=side(BASE, gen, generated),
            tables=("conversations",),
            within="",
            numbers=(number("strategy_acc", 0.41, 0.35), absent),
            skipped={"strategy_macro_f1": "computed in another way"},
        ),
        b.Contrast(
            family="adapter",
            title="With and without the adapter",
            first=side(ADAPTER, ref, "org/base-7b-rolecs"),
            second=side(BASE, ref, "base"),
            tables=("conversations",),
            within="",
            numbers=(number("strategy_acc", 0.57, 0.41),),
        ),
    )


def example_board() -> b.Board:
    models = (
        b.Model(
            slug=BASE, name="org/base-7b", label="base-7b", kind="model", parameters=7_615_616_512
        ),
        b.Model(
            slug=ADAPTER,
            name="org/base-7b-rolecs",
            label="+ base-7b-rolecs",
            kind="adapter",
            base=BASE,
            base_name="org/base-7b",
        ),
        b.Model(
            slug=AWKWARD,
            name="<script>alert(1)</script>",
            label="<script>alert(1)</script>",
            kind="model",
            notes=("a note",),
        ),
        b.Model(slug=BIGRAM, name="baseline/bigram", label="bigram", kind="baseline"),
    )
    rows = (
        row(BASE, 0.41, 0.33, 5.4, 0.35, 0.28, 4.9),
        row(ADAPTER, 0.57, 0.48, 9.1, 0.46, 0.37, 7.7),
        row(AWKWARD, 0.31, 0.22, 3.0),
        row(BIGRAM, 0.46, 0.34),
    )
    comparisons = tuple(
        b.Comparison(
            column="csc_conv_ref/strategy_acc",
            a=a,
            b=c,
            difference=d,
            stderr=0.021,
            low=d - 0.042,
            high=d + 0.042,
            p=p,
            p_holm=min(1.0, 3 * p),
            items=504,
            clusters=60,
        )
        for a, c, d, p in (
            (ADAPTER, BASE, 0.16, 1e-9),
            (ADAPTER, BIGRAM, 0.11, 2e-6),
            (BIGRAM, BASE, 0.05, 0.03),
        )
    )
    setting = b.Setting(
        corpus="demo",
        config="csconv",
        split="test",
        languages=("en", "zh"),
        task_version="1.0",
        prompt="chat",
        chat_template=True,
    )
    reported = b.Reported(
        name="GPT-4o",
        size=None,
        tuned_on=None,
        source="arXiv:2508.04423, Table 6",
        values={"csc_conv_ref/strategy_acc": 0.4258},
    )
    table = b.Table(
        id="conversations",
        kind="conversations",
        title="Conversations",
        setting=setting,
        documents={task: "573fa1e891d7ed06" for task, _ in TASKS},
        columns=columns(),
        rows=rows,
        reported=(reported,),
        comparisons=comparisons,
        best={"csc_conv_ref/strategy_acc": ADAPTER},
        second={"csc_conv_ref/strategy_acc": BIGRAM},
        footnotes=(
            "Strategy accuracy: strategy_acc|labels:12|unparsed:wrong",
            "Bold: better than every other row by the paired 95 % interval.",
        ),
    )
    return b.Board(
        project="0.1.0",
        date="2026-11-20T18:15:55+00:00",
        seed=0,
        models={m.slug: m for m in models},
        tables=(table,),
        contrasts=contrasts(),
        notes=(
            (
                "org/base-7b, csc_conv_ref: 2 runs with the same settings, the newest is kept"
                " (2026-11-20)"
            ),
        ),
    )


def diagnosis(task: str) -> r.Diagnosis:
    size = len(STRATEGY_IDS)
    counts = tuple(
        tuple(30 if i == j else (i + j) % 4 for j in range(size + 1)) for i in range(size)
    )
    steps = tuple(tuple((i * j) % 5 for j in range(size)) for i in range(size + 1))

    def group(name, n):
        values = {"strategy_acc": value(n, 0.05, 42, 20)}
        p_holm = {"strategy_acc": 0.031} if name in ("Connecting", "3") else {}
        return r.Group(name=name, items=42, clusters=20, values=values, p_holm=p_holm)

    return r.Diagnosis(
        table="conversations",
        task=task,
        unparsed=value(0.01, 0.004),
        confusion=r.Confusion(
            labels=STRATEGY_IDS, predicted=(*STRATEGY_IDS, "unparsed"), counts=counts
        ),
        strategies=tuple(
            r.StrategyScore(strategy=s, gold=42, predicted=40, precision=0.7, recall=0.6, f1=0.65)
            for s in STRATEGY_IDS
        ),
        transitions=r.Transitions(
            before=("START", *STRATEGY_IDS),
            after=STRATEGY_IDS,
            gold=steps,
            predicted=steps,
            distance=0.12,
            skipped=3,
        ),
        stage_order=r.StageOrder(
            predicted=value(0.8, 0.1, 60),
            gold=value(0.2, 0.05, 60),
            difference=value(0.6, 0.1, 60),
            predicted_in_order=value(0.5, 0.06, 60),
            gold_in_order=value(0.85, 0.04, 60),
        ),
        breakdowns=(
            r.Breakdown(by="stage", groups=(group("Connecting", 0.7), group("Resolving", 0.4))),
            r.Breakdown(by="topic", groups=(group("Product Consultation", 0.5),)),
            r.Breakdown(by="language", groups=(group("en", 0.5), group("zh", 0.6))),
            r.Breakdown(
                by="turn_index", groups=tuple(group(str(k), 0.8 - 0.05 * k) for k in range(1, 9))
            ),
        ),
        lengths=(
            r.Lengths(
                language="en",
                unit="words",
                items=252,
                reply=(14.2, 3.0, 12.0, 40.0),
                reference=(18.0, 5.0, 17.0, 35.0),
            ),
        ),
        facts=r.FactAudit(
            hallucination_rate=value(0.12, 0.02),
            facts=310,
            unsupported=71,
            kinds={"amount": (120, 40), "name": (190, 31)},
            support=("history", "summary", "instruction"),
            examples=(
                r.FactExample(
                    conversation_id="c1",
                    turn=2,
                    kind="amount",
                    text="$40",
                    reply="I have sent <b>$40</b> back.",
                ),
            ),
        ),
    )


def example_reports() -> dict[str, r.ModelReport]:
    points = tuple(
        r.GapPoint(
            turn_index=k,
            reference=value(0.6 - 0.02 * k),
            generated=value(0.6 - 0.05 * k),
            difference=value(0.03 * k, 0.03),
        )
        for k in range(1, 9)
    )
    gaps = r.TableGaps(
        table="conversations",
        gaps=(
            r.ContextGap(
                metric="strategy_acc", overall=value(0.11), points=points, first_significant=3
            ),
        ),
        divergence=r.Divergence(
            conversations=60, never=12, median=3.0, firsts=(0, 10, 18, 9, 6, 5)
        ),
    )
    both = tuple(diagnosis(task) for task, _ in TASKS)
    full = {
        slug: r.ModelReport(slug=slug, diagnoses=both, gaps=(gaps,)) for slug in (BASE, ADAPTER)
    }
    return full | {
        slug: r.ModelReport(slug=slug, diagnoses=(diagnosis("csc_conv_ref"),))
        for slug in (AWKWARD, BIGRAM)
    }


def example_samples() -> dict[str, r.SampleSet]:
    scores = {"strategy_acc": 1.0, "bleu_4_en": 12.5}

    def reply(strategy, text):
        return r.Reply(strategy=strategy, unparsed=strategy is None, text=text, scores=scores)

    spoken = (
        ("customer", "", "My card was charged twice."),
        ("supporter", "GT", "Hello, how can I help?"),
        ("customer", "", "I told you: </script><!-- twice!"),
        ("supporter", "RP", "So you were charged twice?"),
    )
    turns = tuple(
        r.SampleTurn(
            turn=turn,
            index=index,
            strategy=strategy,
            reference=text,
            replies={
                BASE: {
                    "csc_conv_ref": reply("GT", "Hi there."),
                    "csc_conv_gen": reply(None, "<img src=x onerror=alert(1)>"),
                },
                ADAPTER: {
                    "csc_conv_ref": reply(strategy, text),
                    "csc_conv_gen": reply(strategy, "Hello!"),
                },
                AWKWARD: {"csc_conv_ref": reply("EM", "我理解您的心情。")},
            },
        )
        for index, (turn, strategy, text) in enumerate(
            ((1, "GT", spoken[1][2]), (3, "RP", spoken[3][2])), 1
        )
    )
    conversation = r.SampleConversation(
        conversation_id="c1",
        language="en",
        topic="Account and Transaction Management",
        source="test",
        dialogue=tuple(r.Spoken(speaker=s, strategy=g, text=t) for s, g, t in spoken),
        turns=turns,
    )
    return {
        "conversations": r.SampleSet(
            table="conversations", seed=0, total=60, conversations=(conversation,)
        )
    }


def write_example(root: Path) -> Path:
    """A board folder with raw files; returns the folder."""
    for slug in (BASE, ADAPTER, AWKWARD, BIGRAM):
        folder.replace_file(root / "raw" / slug / "results_2026.json", b'{"results": {}}\n')
    folder.write_board(root, example_board(), example_reports(), example_samples())
    return root
