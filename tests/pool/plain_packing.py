"""The slow honest twin of pool/share_packing.pyx: fractions, dicts and `packed_batch`."""

import json
import math
import re
from fractions import Fraction

from pool.share_book import packed_batch
from pool.share_packing import NumberFault, RowRefused

NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
EXPONENT_MAX = 1000          # any digits of a test, times 10 to it, are too large or too small


def plain_packed_rows(rows, account_of, coin_of):
    """(batch, first rows, first work) as `packed_rows` has them, or its RowRefused."""
    places = {}
    names = []
    for at, row in enumerate(rows):
        if (row.user, row.worker) not in places:
            places[row.user, row.worker] = at, len(names)
            names.append(name_of(at, row, account_of))
    columns = [column(rows, "coin", coin_of), column(rows, "difficulty", difficulty_of),
               column(rows, "accepted", count_of), column(rows, "rejected", count_of),
               column(rows, "at", second_of)]
    packed = [(places[row.user, row.worker][1], coin, accepted, rejected, difficulty, at_s)
              for row, coin, difficulty, accepted, rejected, at_s in zip(rows, *columns)]
    first = packed[0]
    return (packed_batch(names, packed), [at for at, _ in places.values()],
            max(first[2], first[3]) * first[4])


def name_of(at, row, account_of):
    account = account_of(row.user)
    if account is None:
        raise RowRefused(at, "user")
    worker = row.worker
    prefix = f"{row.user.lower()}."
    if worker[:len(row.user) + 1].lower() == prefix:
        worker = worker[len(row.user) + 1:]
    name = worker.encode("utf-8", "replace")
    if not 1 <= len(name) <= 64:
        raise RowRefused(at, "worker")
    return account, name


def column(rows, field, meaning):
    found = [meaning(getattr(row, field)) for row in rows]
    for at, value in enumerate(found):
        if value is None or isinstance(value, NumberFault):
            raise RowRefused(at, field, value)
    return found


def difficulty_of(value):
    value = number_of(value, is_text_taken=True)
    if value is None:
        return NumberFault.NO_NUMBER
    if value == 0:
        return NumberFault.IS_ZERO
    if value < 0:
        return NumberFault.IS_NEGATIVE
    if value >= 2**48:
        return NumberFault.IS_TOO_LARGE
    return int(value * 65536) if (value * 65536).denominator == 1 else NumberFault.IS_INEXACT


def count_of(value):
    value = number_of(value)
    if value is not None and value.denominator != 1:
        return NumberFault.IS_INEXACT
    return second_of(value)


def second_of(value):
    value = number_of(value)
    if value is None:
        return NumberFault.NO_NUMBER
    if value <= -1:
        return NumberFault.IS_NEGATIVE
    return int(value) if value < 2**32 else NumberFault.IS_TOO_LARGE


def number_of(value, is_text_taken=False):
    """Exactly, or None where it is none."""
    if value is None or isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (int, float, Fraction)):
        return Fraction(value)
    is_text = isinstance(value, str)
    text = value if is_text else bytes(value).decode("utf-8", "replace")
    if not is_text and text.startswith('"'):
        is_text, text = True, json.loads(text)
    parts = NUMBER.fullmatch(text)
    if is_text and not is_text_taken or parts is None or not (parts[2] or parts[3]):
        return None
    digits, exponent = int(parts[2] + (parts[3] or "")), int(parts[4] or 0)
    exponent = max(-EXPONENT_MAX, min(exponent, EXPONENT_MAX)) - len(parts[3] or "")
    size = digits * Fraction(10) ** exponent
    return -size if parts[1] == "-" else size
