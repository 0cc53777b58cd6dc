"""The first start's commands: what a configuration cannot ask for, and that mending it helps."""

import asyncio
import tomllib

import pytest

from api import config as configuration
from api.auth.seal import Seal
from api.first_start import FirstStartFailed, first_start
from engine import House, HouseSettings

CREDENTIAL = ('[[credentials]]\nclient_id = "{id}"\nsecret_key = "{key}"\n'
              'secret_salt = "0123456789abcdef"\nscope = "{scope}"\n')
GOOD_KEY = "0123456789abcdef"
# What is written, and what the refusal must name.
REFUSED = [
    ('[[coins]]\nname = "gold"\nscale = 2\n', "gold"),
    ('[[coins]]\nname = "GOLD"\nscale = 9\n', "GOLD"),
    ('[[coins]]\nname = "GOLD"\nscale = 2\nwithdraw_fee = "0.001"\n', "withdraw_fee"),
    ('[[pairs]]\npair = "BTC/GOLD"\nprice_scale = 2\namount_scale = 2\n', "BTC/GOLD"),
    ('[[pairs]]\npair = "BTC/USDT"\nprice_scale = 2\namount_scale = 7\n', "BTC/USDT"),
    ('[[pairs]]\npair = "BTC/USDT"\nprice_scale = 2\namount_scale = 2\nself_trade = "no"\n',
     "self_trade"),
    ('[[pairs]]\npair = "BTC/USDT"\nprice_scale = 2\namount_scale = 2\ntaker_fee = "1.0"\n',
     "taker_fee"),
    ('[[pairs]]\npair = "BTC/USDT"\nprice_scale = 2\namount_scale = 2\nmin_amount = "0.001"\n',
     "min_amount"),
    (CREDENTIAL.format(id="a b", key=GOOD_KEY, scope="operator"), "client_id"),
    (CREDENTIAL.format(id="a", key="short", scope="operator"), "secret_key"),
    (CREDENTIAL.format(id="a", key=GOOD_KEY, scope="account"), "account"),
    (CREDENTIAL.format(id="a", key=GOOD_KEY, scope="root"), "scope"),
    (CREDENTIAL.format(id="a", key=GOOD_KEY, scope="account") + 'account = "ab"\n', "account"),
    (CREDENTIAL.format(id="a", key=GOOD_KEY, scope="operator") * 2, "twice"),
    ('[operator]\npassword = "short"\n', "password"),
]


def test_what_cannot_be_is_refused_and_can_be_mended(tmp_path):
    async def run():
        house = await House.open(tmp_path, HouseSettings(segment_bytes=1 << 20))
        try:
            seal = Seal.open(tmp_path)
            for number, (written, naming) in enumerate(REFUSED):
                path = tmp_path / f"{number}.toml"
                path.write_text(written)
                with pytest.raises(FirstStartFailed, match=naming):
                    await first_start(house, configuration.load(path, {}), seal)
                assert len(house.core.users) == 0
                assert len(house.core.credentials) == 0
            generated = await first_start(house, configuration.load(None, {}), seal)
            assert len(generated) >= 20
            assert [coin.name for coin in house.core.coins] == ["BTC", "BCH", "USDT", "CNY", "ORE"]
            assert len(house.core.pairs) == 5
            state_hash, seq = house.core.state_hash(), house.seq
            assert await first_start(house, configuration.load(None, {}), seal) is None
            assert (house.core.state_hash(), house.seq) == (state_hash, seq)
        finally:
            await house.close()

    asyncio.run(run())


def test_the_cases_are_good_toml():
    for written, _ in REFUSED:
        assert tomllib.loads(written)
