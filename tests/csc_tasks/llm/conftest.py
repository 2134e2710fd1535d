"""An LLM over one journal, a server of its own certificate, and a shell without settings."""

import os

import pytest

from csc_tasks.llm.client import LLM
from csc_tasks.llm.journal.journal import Journal
from tests.support.llm_asking import CERTIFICATE
from tests.support.llm_server import InProcess


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with the certificate and its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_text(CERTIFICATE)
    return path


@pytest.fixture(autouse=True)
def settings_of_the_shell(monkeypatch, certificate):
    # One authority instead of the system's 140: reading those takes longer than most tests.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in [
        name
        for name in os.environ
        if name.startswith(("OPENAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"))
    ]:
        monkeypatch.delenv(name)


@pytest.fixture
def make(tmp_path):
    """Make an LLM over one journal file; all of them are closed at the end."""
    made = []

    def make(url, specs=("openai:model",), **settings):
        for earlier in made:
            earlier.journal.close()
        made.append(
            LLM.from_specs(
                specs,
                Journal(tmp_path / "journal.sqlite"),
                base_url=url,
                **{"first_pause": 0.01, **settings},
            )
        )
        return made[-1]

    yield make
    for earlier in made:
        earlier.journal.close()


@pytest.fixture
def make_virtual(make):
    """Make an LLM whose server is a script in this process, and which is to be run in virtual time:
    (LLM, server).
    """

    def made(script, **settings):
        llm, server = make("http://127.0.0.1:9/v1", **settings), InProcess(script)
        server.serve(llm)
        return llm, server

    return made
