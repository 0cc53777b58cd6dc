"""The first start's commands: what a configuration cannot ask for, and that mending it helps."""

import asyncio
import tomllib

import pytest

from api import config as configuration
from api.auth.seal import Seal
from api.config import Coin, Config, Ore
from api.first_start import FirstStartFailed, first_start
from engine import House, HouseSettings

CREDENTIAL = ('[[credentials]]\nclient_id = "{id}"\nsecret_key = "{key}"\n'
              'secret_salt = "0123456789abcdef"\nscope = "{scope}"\n')
COINS = (Coin("BTC", 8), Coin("ORE", 2))
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
    ('[ore]\nrate_per_force_second = "0.00000000000001"\n', "rate_per_force_second"),
    ('[ore]\nrate_per_force_second = 922338\n', "rate_per_force_second"),
    ('[ore]\nforce_price = 0\n', "force_price"),
    ('[ore]\nforce_price = "0.00001"\n', "force_price"),
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
            # 0.0001 and 1 ORE of four decimals, the rate with nine more.
            assert mining(house) == (5, 10**9, 10**4, 10, 100)
            state_hash, seq = house.core.state_hash(), house.seq
            assert await first_start(house, configuration.load(None, {}), seal) is None
            assert (house.core.state_hash(), house.seq) == (state_hash, seq)
        finally:
            await house.close()

    asyncio.run(run())


def mining(house):
    settings = house.core.miners.settings
    return settings and tuple(settings)


def test_mining_is_set_anew_whenever_the_configuration_differs(tmp_path, caplog):
    async def start(house, **ore):
        seq = house.seq
        seal = Seal.open(tmp_path)
        await first_start(house, Config(coins=COINS, pairs=(), ore=Ore(**ore)), seal)
        return house.seq - seq

    async def run():
        house = await House.open(tmp_path, HouseSettings(segment_bytes=1 << 20))
        try:
            await start(house, coin="")
            assert mining(house) is None
            await start(house, coin="GOLD")
            assert mining(house) is None
            assert caplog.messages == ["[ore] coin: '' is not listed, so nothing is mined",
                                       "[ore] coin: 'GOLD' is not listed, so nothing is mined"]
            assert await start(house) == 1
            assert await start(house) == 0
            assert mining(house) == (2, 10**7, 10**2, 10, 100)
            different = {"rate_per_force_second": "0", "force_price": "2.5", "sign_in_force": 0,
                         "initial_force": 1}
            for name, value in different.items():
                assert await start(house, **{name: value}) == 1
                assert await start(house) == 1
            assert await start(house, **different) == 1
            assert mining(house) == (2, 0, 250, 0, 1)
            state_hash = house.core.state_hash()
            for other in ("BTC", "GOLD"):
                with pytest.raises(FirstStartFailed, match="another one is mined"):
                    await start(house, coin=other)
            assert house.core.state_hash() == state_hash
        finally:
            await house.close()

    asyncio.run(run())


def test_the_cases_are_good_toml():
    for written, _ in REFUSED:
        assert tomllib.loads(written)
