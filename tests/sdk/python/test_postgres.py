"""The same binary on PostgreSQL, when POINTSMAN_TEST_POSTGRES has the URL of a database."""

import os

import pytest

from conftest import ask, make_client, usage
from processes import Gateway, configuration, wait_until

URL = os.environ.get("POINTSMAN_TEST_POSTGRES")


@pytest.mark.skipif(not URL, reason="POINTSMAN_TEST_POSTGRES is not set")
def test_keys_and_spend_survive_a_restart(simulator, tmp_path):
    def start(name):
        return Gateway(tmp_path / name, configuration(simulator), {"DATABASE_URL": URL})

    gateway = start("first")
    key = gateway.key(max_budget=1)
    ask(make_client(gateway, key), model="priced", simulate={"usage": usage(123, 45)})
    gateway.stop()

    gateway = start("second")
    assert wait_until(lambda: gateway.key_info(key)["spend"], what="booked spend") == 0.213
    ask(make_client(gateway, key), model="priced", simulate={"usage": usage(7, 8)})
    assert wait_until(lambda: gateway.key_info(key)["spend"] != 0.213 and gateway.key_info(key)["spend"]) == 0.236
    gateway.stop()
