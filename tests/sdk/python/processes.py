"""The two processes under a test: the provider simulator and the release binary of the gateway."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import conversations

MASTER_KEY = "sk-sdk-tests-master-key"
PROVIDER_KEY = "sk-of-the-provider-only"

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target"))
GATEWAY = pathlib.Path(os.environ.get("POINTSMAN_BIN", TARGET / "release/pointsman"))
SIMULATOR = pathlib.Path(os.environ.get("POINTSMAN_SIMULATOR", TARGET / "debug/examples/provider-simulator"))

# Long enough for any machine; nothing waits for it when all is well.
PATIENCE = 15.0


def wait_until(condition, patience=PATIENCE, what="the condition"):
    """The first true value of `condition`."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in {patience} s"
        time.sleep(0.01)
    return value


class Simulator:
    """An OpenAI-compatible provider. What a request's `simulate` object says is how it is answered."""

    def __init__(self):
        self.process = subprocess.Popen([SIMULATOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.base_url = self.process.stdout.readline().strip()
        assert self.base_url.startswith("http://"), f"{SIMULATOR} does not start"

    def _ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def requests(self):
        """What it was asked since the last time."""
        return self._ask("requests")

    def behave(self, model, behaviour):
        """Answers requests for this (upstream) model like this from now on: for clients that cannot send `simulate`."""
        answer = self._ask(f"behave {model} {json.dumps(behaviour)}")
        assert answer == {}, answer

    def hangups(self, model):
        """Who left before the end of an answer of this model."""
        return [hangup for hangup in self._ask("hangups") if hangup["model"] == model]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Gateway:
    """`pointsman` with a configuration, or without one as on its first run, on a free port."""

    def __init__(self, folder, configuration=None, environment=()):
        folder.mkdir(parents=True, exist_ok=True)  # it may be there: from an earlier process, with its data
        config = folder / "pointsman.yaml"
        self.log = folder / "pointsman.log"
        variables = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "LITELLM_MASTER_KEY")}
        variables |= {"PROVIDER_KEY": PROVIDER_KEY, "RUST_BACKTRACE": "1"}
        command = [GATEWAY, "--host", "127.0.0.1", "--port", "0", "--data-dir", folder / "data"]
        if configuration:
            config.write_text(configuration)
            variables["LITELLM_MASTER_KEY"] = MASTER_KEY
            command += ["--config", config]
        variables |= dict(environment)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables, cwd=folder
            )
        self.address = wait_until(self._listening, what="listening")
        self.base_url = f"{self.address}/v1"
        wait_until(self._answers, what="an answer")

    def _listening(self):
        if self.process.poll() is not None:
            raise RuntimeError("the gateway ended at once:\n" + "\n".join(self.log.read_text().splitlines()[:20]))
        found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", self.log.read_text())
        return found and found[1]

    def _answers(self):
        self._listening()
        try:
            return self.call("/health/liveliness", key=None)[0] == 200
        except OSError:
            return False

    def call(self, path, body=None, key=MASTER_KEY):
        """Status and JSON of a management route: POST with a body, else GET."""
        request = urllib.request.Request(self.address + path, data=body and json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def key(self, **limits):
        """A new virtual key."""
        status, made = self.call("/key/generate", limits or {"models": []})
        assert status == 200, made
        return made["key"]

    def key_info(self, key):
        status, answer = self.call(f"/key/info?key={key}")
        assert status == 200, answer
        return answer["info"]

    def stop(self):
        """An orderly end, as at a shutdown: exit code 0, and no panic on the way."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        log = self.log.read_text()
        assert code == 0, f"exit code {code}\n{log[-2000:]}"
        assert "panicked" not in log, log
        assert PROVIDER_KEY not in log and MASTER_KEY not in log, "a key is in the log"


CONFIGURATION = """
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
    model_info: {{id: gpt-4o-at-simulator}}
  # The client's name of a model is not the provider's.
  - model_name: house-model
    litellm_params: {{model: openai/gpt-4o-mini, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
  - model_name: embedding
    litellm_params: {{model: openai/text-embedding-3-small, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
  - model_name: instruct
    litellm_params: {{model: openai/gpt-3.5-turbo-instruct, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
  - model_name: priced
    litellm_params:
      {{model: openai/priced, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY, input_cost_per_token: 0.001, output_cost_per_token: 0.002}}
  # Silence of this one must not meet that of another test.
  - model_name: silent
    litellm_params: {{model: openai/silent, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
  - model_name: leaving
    litellm_params: {{model: openai/leaving, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
  - model_name: giving-up
    litellm_params: {{model: openai/giving-up, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY}}
  - model_name: impatient
    litellm_params: {{model: openai/impatient, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY, timeout: 0.3}}
  # Nobody listens at the first deployment, which is picked nearly always.
  - model_name: failover
    litellm_params: {{model: openai/gpt-4o, api_base: "http://127.0.0.1:1/v1", api_key: os.environ/PROVIDER_KEY, weight: 1000, num_retries: 2}}
  - model_name: failover
    litellm_params: {{model: openai/gpt-4o, api_base: {upstream}, api_key: os.environ/PROVIDER_KEY, weight: 1, num_retries: 2}}
  - model_name: nowhere
    litellm_params: {{model: openai/gpt-4o, api_base: "http://127.0.0.1:1/v1", api_key: os.environ/PROVIDER_KEY}}

router_settings:
  num_retries: 0
  disable_cooldowns: true # a test that provokes errors must not take the model from the next one
  model_group_alias: {{default: gpt-4o}}

general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
"""


def configuration(simulator):
    models = CONFIGURATION.format(upstream=simulator.base_url)
    return models.replace("\nrouter_settings:", f"{conversations.model_list(simulator.base_url)}\nrouter_settings:")
