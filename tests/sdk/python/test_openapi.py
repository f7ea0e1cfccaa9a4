"""The OpenAPI document against the gateway: thousands of requests made from it, right and wrong, and no 5xx."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest

from processes import MASTER_KEY, Gateway, configuration

HERE = pathlib.Path(__file__).parent
# Enough for every route's examples, boundary values and some hundred inventions.
SECONDS = int(os.environ.get("POINTSMAN_SCHEMATHESIS_SECONDS", 90))
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
]


@pytest.fixture
def own_gateway(simulator, tmp_path):
    """One whose keys may be changed and deleted by anybody's imagination."""
    gateway = Gateway(tmp_path, configuration(simulator))
    yield gateway
    gateway.stop()


def test_requests_made_from_the_document(own_gateway, tmp_path):
    report = tmp_path / "report.json"
    command = [
        pathlib.Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{own_gateway.address}/openapi.json",
        "--header", f"Authorization: Bearer {MASTER_KEY}",
        "--checks", ",".join(CHECKS),
        "--max-time", str(SECONDS),
        "--seed", "1",
        # Python 3.11 miscounts its recursion when two threads parse at the same time, as Hypothesis does.
        "--workers", "1",
        "--request-timeout", "20",
        "--warnings", "off",
        "--no-color",
        "--phases", "coverage,fuzzing",
        "--report", "json",
        "--report-json-path", report,
    ]  # fmt: skip
    keys = [own_gateway.key(key_alias=f"key {number}") for number in range(20)]
    environment = os.environ | {
        "POINTSMAN_TEST_KEYS": ",".join(keys),
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS + 300
    )
    said = run.stdout[-20_000:] + run.stderr[-2000:]
    assert report.exists(), said
    found = json.loads(report.read_text())
    assert run.returncode == 0 and not found["failures"], said
    assert found["operations"]["tested"] == found["operations"]["total"], said
    assert found["test_cases"]["generated"] > 1000, said


def test_the_document_is_what_tools_expect(own_gateway):
    with urllib.request.urlopen(f"{own_gateway.address}/openapi.json") as answer:
        document = json.loads(answer.read())
    assert document["openapi"].startswith("3.1.")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(identifiers) == len(set(identifiers)) > 15
