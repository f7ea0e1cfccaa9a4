"""The life of the process: what it leaves on disk, how it ends, and what it refuses to start with."""

import re
import signal
import subprocess
import threading
import time

import openai
import pytest

from conftest import ask, make_client, usage
from processes import GATEWAY, MASTER_KEY, PATIENCE, PROVIDER_KEY, Gateway, configuration, wait_until

SAID = "what-was-said-to-the-model"
ANSWERED = "what-the-model-answered"


def test_the_first_run(tmp_path):
    gateway = Gateway(tmp_path)
    (key,) = set(re.findall(r"POINTSMAN_KEY=(sk-[\w-]+)", gateway.log.read_text()))
    client = make_client(gateway, key)
    said = ask(client, model="demo").choices[0].message.content
    assert said
    streamed = [chunk.choices[0].delta.content or "" for chunk in ask(client, model="demo", stream=True)]
    assert "".join(streamed) == said
    assert len(streamed) > 2
    assert [model.id for model in client.models.list()] == ["demo"]
    gateway.stop()
    # Only its hash is kept; the next start knows the key all the same and does not show it.
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes(), path
    gateway = Gateway(tmp_path)
    assert key not in gateway.log.read_text()
    assert ask(make_client(gateway, key), model="demo").choices[0].message.content == said
    gateway.stop()


def test_no_key_and_no_content_is_written_anywhere(simulator, tmp_path):
    gateway = Gateway(tmp_path, configuration(simulator), {"RUST_LOG": "trace"})
    key = gateway.key(max_budget=1)
    client = make_client(gateway, key)
    message = [{"role": "user", "content": SAID}]
    for stream in (False, True):
        answer = ask(client, messages=message, stream=stream, simulate={"content": ANSWERED})
        assert ANSWERED in (str(answer) if not stream else str(list(answer)))
        with pytest.raises(openai.AuthenticationError):
            ask(client, messages=message, stream=stream, simulate={"status": 401})
    with pytest.raises(openai.AuthenticationError):
        ask(make_client(gateway, "sk-nobody-has-this-key"), messages=message)
    gateway.stop()
    assert "TRACE" in gateway.log.read_text()
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "pointsman.yaml":
            found = path.read_bytes()
            for secret in (SAID, ANSWERED, key, MASTER_KEY, PROVIDER_KEY, "sk-nobody-has-this-key"):
                assert secret.encode() not in found, f"{secret} is in {path.name}"


def test_an_orderly_end_lets_calls_finish(simulator, tmp_path):
    gateway = Gateway(tmp_path, configuration(simulator))
    key = gateway.key(max_budget=1)
    stream = ask(make_client(gateway, key), stream=True, simulate={"chunks": 30, "chunk_bytes": 4, "chunk_delay_ms": 50})
    said = [next(stream)]
    gateway.process.send_signal(signal.SIGTERM)
    said += stream
    assert said[-1].choices[0].finish_reason == "stop"
    assert gateway.process.wait(PATIENCE) == 0
    # And its cost is booked: by the first process or, from its journal, by the next.
    gateway = Gateway(tmp_path, configuration(simulator))
    assert wait_until(lambda: gateway.key_info(key)["spend"], what="booked spend") > 0
    gateway.stop()


def test_a_killed_process_loses_no_finished_answer(simulator, tmp_path):
    gateway = Gateway(tmp_path, configuration(simulator))
    key = gateway.key(max_budget=1000)
    finished = []

    def call():
        client = make_client(gateway, key, timeout=5)
        try:
            while True:
                finished.append(ask(client, model="priced", simulate={"usage": usage(1, 1)}).id)
        except openai.APIError:
            pass

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    gateway.process.kill()
    gateway.process.wait()
    for thread in threads:
        thread.join()
    assert len(finished) > 20

    gateway = Gateway(tmp_path, configuration(simulator))
    status, rows = gateway.call(f"/spend/logs?api_key={key}")
    assert status == 200
    booked = [row["request_id"] for row in rows]
    # A call may have been settled whose answer did not get out; none is missing and none is there twice.
    assert set(finished) <= set(booked)
    assert len(booked) == len(set(booked))
    total = sum(round(row["spend"] * 1e9) for row in rows)
    assert round(gateway.key_info(key)["spend"] * 1e9) == total
    gateway.stop()


@pytest.mark.parametrize("key, told", [("", "LITELLM_MASTER_KEY"), ("sk-1234", "sk-1234"), ("secret", "sk-")])
def test_a_master_key_that_is_none(tmp_path, key, told):
    config = tmp_path / "pointsman.yaml"
    config.write_text("model_list: []\n")
    ended = subprocess.run(
        [GATEWAY, "--config", config, "--port", "0", "--data-dir", tmp_path / "data"],
        env={"LITELLM_MASTER_KEY": key}, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode != 0
    assert "master key" in ended.stderr and told in ended.stderr
