"""What Prometheus is told: read from the house when it asks, nothing is counted on the way."""

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.payouts.running import DIALECT as PAYOUTS
from api.shell import Shell

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
        yield GaugeMetricFamily("orebook_users", "Registered users.", len(house.core.users))
        yield GaugeMetricFamily("orebook_pending_commands", "Commands that wait to be applied.",
                                house.pending)
        yield GaugeMetricFamily("orebook_waiting_passwords", "Passwords that wait to be hashed.",
                                self._shell.passwords.waiting)
        answers = CounterMetricFamily("orebook_answers", "Answers given: ok, refused, failed.",
                                      labels=("dialect", "call", "outcome"))
        rounds = CounterMetricFamily("orebook_payout_rounds", "Looks after a wallet's payouts: ok, "
                                     "not_now, short, refused, stuck, fault (docs/payouts.md).",
                                     labels=("coin", "outcome"))
        for labels, count in self._shell.answers.items():
            if labels[0] == PAYOUTS:
                rounds.add_metric(labels[1:], count)
            else:
                answers.add_metric(labels, count)
        yield answers
        yield rounds
        yield GaugeMetricFamily("orebook_signed_transactions",
                                "Transactions signed whose withdrawals are not all finished.",
                                len(house.core.withdrawals.signed))
