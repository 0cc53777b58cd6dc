"""Settlements of the core against the model's; part of comparison.compare_state."""

from dataclasses import astuple
from fractions import Fraction

SUM_FIELDS = ("accounts", "gross", "net", "commission", "pool", "profit_per_p", "settled_ns")


def compare_settlement(core, model, require_equal) -> None:
    """Sums of days, totals of accounts, the running one. `require_equal` is comparison's."""
    given = core.settlements
    require_equal("settled days", [(done.coin, done.day) for done in given.sums()],
                  list(model.settled))
    for (coin, day), wanted in model.settled.items():
        done = given.of_day(coin, day)
        require_equal(f"coin {coin}, day {day}", {
            **{name: getattr(done, name) for name in SUM_FIELDS},
            "rate": Fraction(done.fees, done.subsidies)}, wanted)
    require_equal("totals", {(account, coin): tuple(total) for account, coin, total
                             in given.totals},
                  {key: astuple(total) for key, total in model.totals.items()})
    running, its = given.running, model.settlement
    require_equal("running settlement", running and (
        running.coin, running.day, running.cursor, Fraction(running.fees, running.subsidies),
        running.profit_per_p, running.accounts, [sale.account for sale in running.sales]), its and (
        its.coin, its.day, its.cursor, its.rate, its.profit_per_p, len(its.dues),
        [due.account for due in its.waiting]))
