"""The workers of a house: one for each wallet of the configuration, as long as the house serves."""

from collections import Counter
from contextlib import AbstractAsyncContextManager

import aiohttp

from api.config import Wallet as WalletConfig
from api.numbers import read
from api.payouts.rpc import Login, RpcClient
from api.payouts.wallet import NODE_SCALE, Wallet, WalletSettings
from api.payouts.worker import PayoutWorker
from api.rounds import all_running
from engine import House

DIALECT = "payouts"      # under which the outcomes of rounds are counted


def paying(house: House, wallets: tuple[WalletConfig, ...],
           answers: Counter) -> AbstractAsyncContextManager[list[PayoutWorker]]:
    """Workers that run while the context is open."""
    return all_running(wallets, lambda wallet, session: worker_of(house, wallet, session, answers))


def worker_of(house: House, config: WalletConfig, session: aiohttp.ClientSession,
              answers: Counter) -> PayoutWorker:
    """A worker that has not begun; it counts its rounds in `answers`."""
    rpc = RpcClient(session, config.url, Login(config.user, config.password, config.cookie_file))
    wallet = Wallet(rpc, WalletSettings(config.chain, config.fee_rate, config.fee_blocks,
                                        read("max_fee", config.max_fee, NODE_SCALE)))

    def count(outcome: str) -> None:
        answers[DIALECT, config.coin, outcome] += 1

    return PayoutWorker(house, config.coin, wallet, config.confirmations,
                        config.max_per_transaction, config.poll_seconds, count)
