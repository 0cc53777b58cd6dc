"""What Prometheus is told: read from the house when it asks, nothing is counted on the way."""

import time
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.mining.network_poller import DIALECT as NETWORKS
from api.mining.share_rows import DIALECT as SHARES
from api.payouts.running import DIALECT as PAYOUTS
from api.shell import Shell

DAY_S = 86_400
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """A registry for one app."""

    def __init__(self, shell: Shell):
        self._shell = shell
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """The page, in the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        house = self._shell.house
        yield GaugeMetricFamily("orebook_up", "1 while the house serves, 0 after a fail-stop.",
                                int(house.stopped is None))
        yield CounterMetricFamily("orebook_commands",
                                  "Sequence number of the last command applied.", house.seq)
        yield CounterMetricFamily("orebook_durable_commands",
                                  "Sequence number of the last command on disk.", house.durable_seq)
        core = house.core
        yield GaugeMetricFamily("orebook_users", "Registered users.",
                                len(core.users) - len(core.sub_accounts))
        yield GaugeMetricFamily("orebook_pending_commands", "Commands that wait to be applied.",
                                house.pending)
        yield GaugeMetricFamily("orebook_waiting_passwords", "Passwords that wait to be hashed.",
                                self._shell.passwords.waiting)
        yield from self._counted()
        yield GaugeMetricFamily("orebook_signed_transactions",
                                "Transactions signed whose withdrawals are not all finished.",
                                len(core.withdrawals.signed))
        yield from pool_metrics(core)

    def _counted(self) -> Iterator[Metric]:
        """What the shell counts, each under the name of its dialect."""
        answers = CounterMetricFamily("orebook_answers", "Answers given: ok, refused, failed.",
                                      labels=("dialect", "call", "outcome"))
        rounds = CounterMetricFamily("orebook_payout_rounds", "Looks after a wallet's payouts: ok, "
                                     "not_now, short, refused, stuck, fault (docs/payouts.md).",
                                     labels=("coin", "outcome"))
        looks = CounterMetricFamily("orebook_network_looks", "Looks at a network's node: ok, "
                                    "not_now.", labels=("coin", "outcome"))
        rows = CounterMetricFamily("orebook_share_rows", "Rows of shares since the start: taken, "
                                   "duplicate.", labels=("outcome",))
        families = {PAYOUTS: (rounds, 1), NETWORKS: (looks, 1), SHARES: (rows, 2)}
        for labels, count in self._shell.answers.items():
            family, first_label = families.get(labels[0], (answers, 0))
            family.add_metric(labels[first_label:], count)
        yield from (answers, rounds, looks, rows)


def pool_metrics(core) -> Iterator[Metric]:
    """The mining pool, by coin where it mines."""
    yield GaugeMetricFamily("orebook_sub_accounts", "Sub-accounts of the pool.",
                            len(core.sub_accounts))
    yield GaugeMetricFamily("orebook_workers", "Workers with a share in the last 30 days.",
                            len(core.workers))
    yield GaugeMetricFamily("orebook_settlement_running", "1 while a day is being settled.",
                            int(core.settlements.running is not None))
    speeds = GaugeMetricFamily("orebook_pool_speed", "Hashes in a second, of the last 5 minutes.",
                               labels=("coin",))
    rejects = GaugeMetricFamily("orebook_pool_reject_rate", "Rejected work in thousandths of all, "
                                "of the last 5 minutes.", labels=("coin",))
    settled = GaugeMetricFamily("orebook_settled_until_seconds", "Unix time of the end of the last "
                                "day that is settled; 0 before any.", labels=("coin",))
    now_s = int(time.time())
    for number in core.networks.coins():
        labels = (core.coins.get(number).name,)
        speed = core.workers.coin_speeds(number, now_s).speed_5m
        speeds.add_metric(labels, speed.valid_speed)
        rejects.add_metric(labels, speed.reject_rate_permille)
        days = (done.day + 1 for done in core.settlements.sums() if done.coin == number)
        settled.add_metric(labels, max(days, default=0) * DAY_S)
    yield from (speeds, rejects, settled)
