"""The coding agents themselves, started by `pointsman launch`: each uses a tool and answers, over every kind of upstream.

They come from npm (`npm install` in tests/sdk/agents, some 800 MB) and are left out where that was not run. None of them asks anybody but the
gateway: whatever else they would like to fetch is switched off or fails.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conversations import CONVERSATIONS, UPSTREAMS, models
from processes import GATEWAY, MASTER_KEY

HERE = pathlib.Path(os.environ.get("POINTSMAN_AGENTS", pathlib.Path(__file__).parents[1] / "agents"))
PROGRAMS = HERE / "node_modules/.bin"
SAID = "The tool said hello."


def installed(name):
    return pytest.mark.skipif(
        not (PROGRAMS / name).exists(), reason=f"{name} is not there: `npm install` was not run in {HERE}")


def conversation(tool, arguments):
    """A thought, a word and a tool, then an answer."""
    call = {"type": "tool_use", "id": "toolu_01Agent", "name": tool, "arguments": json.dumps(arguments)}
    thought = {"type": "thinking", "thinking": "I should say hello first."}
    counts = {"input": 1000, "cache_read": 200, "output": 30, "thinking": 7}
    return {"turns": [
        {"blocks": [thought, {"type": "text", "text": "One moment."}, call], "chunk_bytes": 5, "counts": counts, "pings": True},
        {"content": SAID, "chunk_bytes": 4, "counts": counts},
    ]}


@pytest.fixture(params=UPSTREAMS)
def upstream(request):
    return request.param


@pytest.fixture
def play(simulator, upstream):
    """Has the model of the group `UPSTREAM-tools` play another conversation, for the time of a test."""
    (model,) = [model for own, name, _, model in models() if (own, name) == (upstream, "tools")]

    def play(behaviour):
        simulator.behave(model, behaviour)
        simulator.requests()
        return f"{upstream}-tools"

    yield play
    simulator.behave(model, CONVERSATIONS["tools"])


@pytest.fixture
def launch(gateway, upstream, tmp_path):
    """Runs an agent to its end; its output."""

    def launch(agent, model, *arguments):
        (tmp_path / "home").mkdir()
        (tmp_path / "work").mkdir()
        environment = {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(tmp_path / "home"), "CODEX_HOME": str(tmp_path / "home"),
            "POINTSMAN_URL": gateway.address, "POINTSMAN_KEY": MASTER_KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        }
        run = subprocess.run(
            [GATEWAY, "launch", agent, "--model", model, "--small-model", f"{upstream}-text", "--", *arguments],
            cwd=tmp_path / "work", env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
        return run.stdout

    return launch


def results(simulator, model):
    """The body of the request that brings what the tool said, which is the second of the conversation."""
    asked = [request["body"] for request in simulator.requests() if request["model"] == model]
    # What Claude Code does not know it tries: instructions in the middle of a conversation, which Anthropic's model refuses
    # and others take.
    plain = [body for body in asked if not any(turn.get("role") == "system" for turn in body.get("messages", [])[1:])]
    asked = plain or asked
    assert len(asked) == 2, [list(body) for body in asked]
    return asked[1]


@installed("claude")
def test_claude_code(simulator, upstream, play, launch):
    model = play(conversation("Bash", {"command": "echo hello-from-a-$(echo tool)", "description": "Say hello"}))
    said = json.loads(launch(
        "claude", model, "-p", "Say hello with Bash", "--output-format", "json", "--allowedTools", "Bash"))
    assert (said["is_error"], said["result"], said["num_turns"]) == (False, SAID, 2), said
    # Of both turns, as the upstream told it.
    usage = said["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (2000, 400, 60)
    second = results(simulator, upstream_model(upstream))
    assert "hello-from-a-tool" in json.dumps(second)


@installed("codex")
def test_codex(simulator, upstream, play, launch):
    model = play(conversation("exec_command", {"cmd": "echo hello-from-a-$(echo tool)"}))
    lines = launch(
        "codex", model, "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
        "Say hello with the shell")
    events = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    commands = [item for item in items if item["type"] == "command_execution"]
    assert [(item["exit_code"], item["aggregated_output"].strip()) for item in commands] == [(0, "hello-from-a-tool")]
    messages = [item["text"] for item in items if item["type"] == "agent_message"]
    assert messages == ["One moment.", SAID]
    assert not [item for item in items if item["type"] == "error"], items
    usage = next(event["usage"] for event in events if event["type"] == "turn.completed")
    assert (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"]) == (2400, 400, 60)
    assert "hello-from-a-tool" in json.dumps(results(simulator, upstream_model(upstream)))


@installed("opencode")
def test_opencode(simulator, upstream, play, launch):
    model = play(conversation("bash", {"command": "echo hello-from-a-$(echo tool)", "description": "Say hello"}))
    lines = launch("opencode", model, "run", "--format", "json", "Say hello with bash")
    events = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    texts = [event["part"]["text"].strip() for event in events if event["type"] == "text"]
    assert texts == ["One moment.", SAID]
    tools = [event["part"] for event in events if event["type"] == "tool_use"]
    assert ["hello-from-a-tool" in json.dumps(part["state"]) for part in tools] == [True]
    assert "hello-from-a-tool" in json.dumps(results(simulator, upstream_model(upstream)))


def upstream_model(upstream):
    (model,) = [model for own, name, _, model in models() if (own, name) == (upstream, "tools")]
    return model


def test_launching_what_is_not_installed(gateway, tmp_path):
    environment = {"PATH": str(tmp_path), "POINTSMAN_URL": gateway.address, "POINTSMAN_KEY": MASTER_KEY}
    run = subprocess.run([GATEWAY, "launch", "codex"], env=environment, capture_output=True, text=True, timeout=30)
    assert run.returncode != 0 and "npm install -g @openai/codex" in run.stderr
    assert shutil.which("codex", path=str(tmp_path)) is None
