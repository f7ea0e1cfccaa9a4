"""The Node SDKs: their tests are JavaScript, run by Node's own test runner."""

import os
import pathlib
import shutil
import subprocess

import pytest

from processes import MASTER_KEY

HERE = pathlib.Path(os.environ.get("POINTSMAN_NODE_TESTS", pathlib.Path(__file__).parents[1] / "node"))


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
@pytest.mark.skipif(not (HERE / "node_modules").exists(), reason=f"`npm ci` was not run in {HERE}")
@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_node(gateway, name):
    variables = os.environ | {"OPENAI_BASE_URL": gateway.base_url, "OPENAI_API_KEY": MASTER_KEY}
    run = subprocess.run(
        ["node", "--test", name], cwd=HERE, env=variables, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# pass 0" not in run.stdout, run.stdout
