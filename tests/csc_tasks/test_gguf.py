"""Models in GGUF files: unpacked once, or played as they are; else one line says why not."""

import random
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from builders.qa.tokens import TokenCounter
from csc_tasks import TASKS_DIR, checks
from csc_tasks.cli import main
from csc_tasks.doctor import BROKEN, NOTE, OK, model
from csc_tasks.errors import ModelError
from csc_tasks.gguf import DIGIT_BY_DIGIT, DIGITS_OFF, gguf_files, splits_as_learned
from csc_tasks.metrics.weights import place
from csc_tasks.play import cache
from tests.support.fakes import write_corpus
from tests.support.gguf_model import make_gguf

gguf = pytest.importorskip("gguf")
pytestmark = pytest.mark.xdist_group("gguf")
NAME = "tiny.Q8_0.gguf"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return make_gguf(tmp_path_factory.mktemp("gguf") / NAME)


@pytest.fixture(scope="module")
def unpacked(file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked") / "tiny"
    assert main(["convert", str(file.parent), "--out", str(folder)]) == 0
    return folder


def test_the_folder_holds_the_weights_of_the_file(file, unpacked):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    weights = AutoModelForCausalLM.from_pretrained(unpacked).state_dict()
    for inside, name in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
    ):
        tensor = tensors[inside]
        expected = torch.tensor(gguf.quants.dequantize(tensor.data, tensor.tensor_type))
        assert torch.equal(weights[name], expected), name
    tokenizer = AutoTokenizer.from_pretrained(unpacked)
    # Bytes are the tokens from 3 on, in the alphabet's order; a space with a t comes after them.
    assert tokenizer.decode(tokenizer.encode("hä 您 the")) == "hä 您 the"
    assert tokenizer.encode(" t") == [259]
    assert tokenizer.eos_token == "<|im_end|>" and "<|im_start|>" in tokenizer.chat_template


def play(corpus, **arguments):
    """The raw replies of two conversations."""
    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata={"csc_corpus": str(corpus), "csc_language": "en"},
    )
    results = simple_evaluate(
        "hf",
        model_args={**arguments, "dtype": "float32"},
        tasks=["csc_conv_gen"],
        task_manager=manager,
        apply_chat_template=True,
        gen_kwargs="max_gen_toks=6",
        batch_size=4,
        device="cpu",
        bootstrap_iters=0,
    )
    csc = results["configs"]["csc_conv_gen"]["metadata"]["csc"]
    return csc["play"], [line["resps"] for line in results["samples"]["csc_conv_gen"]]


def test_the_file_itself_is_played_with_adapters_on_it(file, unpacked, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    adapted = get_peft_model(
        AutoModelForCausalLM.from_pretrained(unpacked),
        LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "down_proj"]),
    )
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data += torch.randn_like(parameter)
    adapted.save_pretrained(tmp_path / "adapter")
    corpus = write_corpus(tmp_path / "corpus")
    packed = {"pretrained": str(file.parent), "gguf_file": NAME}
    ordinary = {"pretrained": str(unpacked)}
    adapter = {"peft": str(tmp_path / "adapter")}
    alone, of_folder = play(corpus, **packed), play(corpus, **ordinary)
    with_adapter, with_it_in_folder = (
        play(corpus, **packed, **adapter),
        play(corpus, **ordinary, **adapter),
    )
    assert alone == of_folder and with_adapter == with_it_in_folder
    assert alone[0]["mode"] == with_adapter[0]["mode"] == "lockstep"
    assert alone[1] != with_adapter[1]


def test_the_doctor_says_how_the_file_is_scored(file):
    lines = {finding.subject: finding for finding in model.describe(str(file))}
    assert {finding.state for finding in lines.values()} == {OK}
    assert lines["model"].found.endswith(f"unpacked from {NAME} at every start")
    command = lines["score it with"].found
    assert f"--model_args pretrained={file.parent},gguf_file={NAME} " in command


def test_a_folder_of_several_is_asked_to_name_one(file, tmp_path, capsys):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).symlink_to(file)
    (finding,) = model.describe(str(tmp_path))
    assert finding.state == BROKEN and "holds 2 GGUF files" in finding.found
    assert main(["convert", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "holds 2 GGUF files (a.gguf, b.gguf); name one of them" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + bytes(400)])
def test_a_broken_file_is_one_line(content, tmp_path, capsys):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(content)
    assert main(["convert", str(broken), "--out", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith(f"error: {broken}: not a GGUF file that transformers can read (")
    assert not (tmp_path / "out").exists()
    (finding,) = model.describe(str(broken))
    assert finding.state == BROKEN


def written_otherwise(monkeypatch, file, without=(), more=None):
    """The tiny model's file without a tensor or an entry, or with one tensor more."""

    class Writer(gguf.GGUFWriter):
        def add_tensor(self, name, *args, **options):
            if name not in without:
                super().add_tensor(name, *args, **options)

        def write_header_to_file(self, *args):
            if more:
                super().add_tensor(more, np.ones(32, dtype=np.float32))
            super().write_header_to_file(*args)

    for name in without:
        if name.startswith("add_"):
            setattr(Writer, name, lambda *_: None)
    monkeypatch.setattr(gguf, "GGUFWriter", Writer)
    return make_gguf(file)


def test_a_file_without_a_weight_is_refused(tmp_path, monkeypatch, capsys):
    """transformers fills it with random numbers and warns."""
    file = written_otherwise(monkeypatch, tmp_path / NAME, ["blk.1.ffn_down.weight"])
    assert main(["convert", str(file), "--out", str(tmp_path / "out")]) == 1
    assert (
        "lacks 1 of the weights that a LlamaForCausalLM needs (model.layers.1.mlp.down_proj.weight)"
    ) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_weights_that_transformers_leaves_out_are_counted(tmp_path, monkeypatch, capsys):
    file = written_otherwise(monkeypatch, tmp_path / NAME, more="blk.0.attn_q.bias")
    assert main(["convert", str(file), "--out", str(tmp_path / "out")]) == 0
    assert f"note: 32 more weights of {NAME} are of no use to transformers" in (
        capsys.readouterr().err
    )


def test_a_file_without_a_template_or_a_tokenizer(tmp_path, monkeypatch, capsys):
    file = written_otherwise(monkeypatch, tmp_path / NAME, ["add_chat_template"])
    assert main(["convert", str(file), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert (
        printed.out.endswith("; there is no chat template in it\n") and "note:" not in printed.err
    )
    parts = ("model", "list", "types", "merges")
    names = [f"add_token{'izer' if part == 'model' else ''}_{part}" for part in parts]
    file = written_otherwise(monkeypatch, tmp_path / "b.gguf", names)
    assert main(["convert", str(file), "--out", str(tmp_path / "b")]) == 1
    assert f"error: {file}: holds no tokenizer that transformers can read (" in (
        capsys.readouterr().err
    )


def test_a_part_of_a_model_is_neither_unpacked_nor_played(file, tmp_path, capsys):
    """transformers would fill up what is in the other parts with random numbers."""
    part = tmp_path / "tiny-00002-of-00003.gguf"
    part.symlink_to(file)
    for named in (part, tmp_path):
        assert main(["convert", str(named), "--out", str(tmp_path / "out")]) == 1
        assert (
            "one of the 3 files of a model, and transformers reads a single one; join them first:"
            " llama-gguf-split --merge tiny-00001-of-00003.gguf tiny.gguf"
        ) in capsys.readouterr().err
    with pytest.raises(ModelError, match="one of the 3 files"):
        checks.check_gguf({"pretrained": str(tmp_path), "gguf_file": part.name})
    (finding,) = model.describe(str(part))
    assert finding.state == BROKEN and "one of the 3 files" in finding.found
    alone = tmp_path / "alone-00001-of-00001.gguf"
    alone.symlink_to(file)
    checks.check_gguf({"pretrained": str(tmp_path), "gguf_file": alone.name})


def test_a_name_in_capitals_is_a_gguf_file_too(file, tmp_path):
    (tmp_path / "TINY.GGUF").symlink_to(file)
    assert gguf_files(tmp_path) == gguf_files(tmp_path / "TINY.GGUF") == [tmp_path / "TINY.GGUF"]


def test_training_says_what_it_takes(file, tmp_path, capsys):
    words = ["train", "--model", str(file.parent), "--corpus", "demo", "--out", str(tmp_path / "a")]
    assert main([*words, "--quantization", "none"]) == 1
    assert f"csc convert {file} --out DIR" in capsys.readouterr().err


def test_learned_metrics_read_none(file):
    for name in (str(file), str(file.parent)):
        with pytest.raises(ModelError, match="is a GGUF file, which no learned metric reads"):
            place("bertscore", name)


def test_summaries_are_counted_by_its_tokenizer(file):
    # Four bytes, and the merged space with a t is one.
    assert TokenCounter(str(file)).local("abc t") == 4


def test_lm_eval_is_told_how_to_name_it(file):
    named = f"--model_args pretrained={file.parent},gguf_file={NAME}"
    for given in ({"pretrained": str(file)}, {"pretrained": str(file.parent)}):
        with pytest.raises(ModelError, match=named):
            checks.check_gguf(given)
    with pytest.raises(ModelError, match=r"gguf_file=other\.gguf: there is no such file in"):
        checks.check_gguf({"pretrained": str(file.parent), "gguf_file": "other.gguf"})
    checks.check_gguf({"pretrained": str(file.parent), "gguf_file": NAME})


def test_a_folder_with_an_ordinary_model_is_one(file, unpacked, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / NAME).symlink_to(file)
    assert gguf_files(tmp_path) == [] and gguf_files("ORG/NAME") == []
    assert gguf_files(tmp_path / NAME) == [tmp_path / NAME] and gguf_files(unpacked) == []


@pytest.fixture
def untaught(monkeypatch):
    """transformers as it is installed: what other tests have taught it is forgotten."""
    from transformers.integrations.gguf import gguf_tokenizer_mapping

    table = "GGUF_PRE_TOKENIZER_SPLITS"
    known = getattr(gguf_tokenizer_mapping, table).items()
    own = {name: split for name, split in known if name not in DIGIT_BY_DIGIT}
    monkeypatch.setattr(gguf_tokenizer_mapping, table, own)


def pieces(tokenizer):
    return tokenizer.convert_ids_to_tokens(tokenizer.encode("is  35  ."))


TOGETHER = ["i", "s", "ĠĠ", "3", "5", "Ġ", "Ġ", "."]
APART = ["i", "s", "Ġ", "Ġ", "3", "5", "Ġ", "Ġ", "."]


@pytest.mark.parametrize("split", ["smollm", "gpt-2", "qwen2"])
def test_texts_are_split_as_the_vocabulary_was_learned(split, tmp_path, capsys, untaught):
    """Where digits are split off first, spaces before them stay together; elsewhere the last goes
    with what follows.
    """
    from transformers import AutoTokenizer

    file = make_gguf(tmp_path / "made.gguf", split=split)
    assert main(["convert", str(file), "--out", str(tmp_path / "folder")]) == 0
    assert "does not know" not in capsys.readouterr().err
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "folder")
    assert pieces(tokenizer) == (TOGETHER if split == "smollm" else APART)


@pytest.mark.parametrize(
    "way",
    [
        lambda file: checks.check_gguf({"pretrained": str(file.parent), "gguf_file": file.name}),
        lambda file: list(model.describe(str(file))),
        lambda file: TokenCounter(str(file)),
    ],
)
def test_every_way_to_load_a_file_has_texts_split_so(way, tmp_path, untaught):
    from transformers import AutoTokenizer

    file = make_gguf(tmp_path / "made.gguf", split="smollm")
    load = partial(AutoTokenizer.from_pretrained, tmp_path, gguf_file=file.name)
    assert pieces(load()) == APART
    way(file)
    assert pieces(load()) == TOGETHER


def test_replies_of_other_tokens_are_not_taken_from_the_cache(tmp_path, untaught):
    """One vocabulary and one template, split in two ways."""
    from transformers import AutoTokenizer

    file = make_gguf(tmp_path / "made.gguf", split="smollm")
    known = []
    for _ in range(2):
        tokenizer = AutoTokenizer.from_pretrained(tmp_path, gguf_file=file.name)
        known.append(cache.identity(SimpleNamespace(tokenizer=tokenizer)))
        splits_as_learned(file)
    assert known[0] != known[1]


def test_a_transformers_whose_table_has_moved_is_said_by_the_doctor(monkeypatch, file):
    from transformers.integrations.gguf import gguf_tokenizer_mapping

    from csc_tasks.compat import transformers as ours

    assert ours.why_no_gguf_splits() is None
    monkeypatch.delattr(gguf_tokenizer_mapping, "GGUF_PRE_TOKENIZER_SPLITS")
    assert "has moved" in ours.why_no_gguf_splits()
    # A file that needs nothing of it is none the worse.
    assert splits_as_learned(file) is None


def test_generation_stops_where_a_turn_ends(tmp_path):
    """Gemma's files say an end of text and another one of a turn."""
    from transformers import GenerationConfig

    for name, end, turn, stops in (("gemma", 0, 2, [0, 2]), ("qwen", 2, 2, 2)):
        file = make_gguf(tmp_path / f"{name}.gguf", end=end, turn=turn)
        assert main(["convert", str(file), "--out", str(tmp_path / name)]) == 0
        assert GenerationConfig.from_pretrained(tmp_path / name).eos_token_id == stops
    lines = {finding.subject: finding for finding in model.describe(str(tmp_path / "gemma"))}
    assert lines["stops"].state == OK


@pytest.mark.parametrize(
    ("split", "how"),
    [("deepseek-coder", "as 'deepseek-coder'"), ("", "in a way it does not say")],
)
def test_a_vocabulary_that_nobody_knows_is_said(split, how, tmp_path, capsys, caplog):
    file = make_gguf(tmp_path / "made.gguf", split=split)
    note = f"made.gguf: its vocabulary was learned on texts split {how}"
    assert main(["convert", str(file), "--out", str(tmp_path / "folder")]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if note in line]
    assert line.startswith("note: ") and line.endswith("own tokenizer where you have it")
    named = {"pretrained": str(tmp_path), "gguf_file": file.name}
    checks.check_gguf(named | {"tokenizer": "ORG/NAME"})
    assert not caplog.records
    checks.check_gguf(named)
    assert note in caplog.text
    (finding,) = [one for one in model.describe(str(file)) if one.subject == "tokenizer"]
    assert finding.state == NOTE and note in finding.found


def test_digits_off_is_digits_first_and_then_as_gpt_2():
    """One pattern against the two steps that it stands for, on texts drawn of what matters."""
    from tokenizers import Regex, pre_tokenizers

    two_steps = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    bytes_alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    one = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(DIGITS_OFF), behavior="isolated"), bytes_alone]
    )
    draw = random.Random(0)
    marks = [
        " ",
        "  ",
        "\n",
        "\t",
        "7",
        "½",
        "٣",
        "a",
        "é",
        "您",
        "'s",
        "'",
        ".",
        "$",
        "🙂",
        "\u3000",
    ]
    for _ in range(3000):
        text = "".join(draw.choices(marks, k=draw.randint(1, 9)))
        assert one.pre_tokenize_str(text) == two_steps.pre_tokenize_str(text), repr(text)
