"""Double entry: hold, release, settle a fill. A unit that leaves one account enters another.

Unchecked and inlined into the matching loop: the caller has made sure that the frozen part covers
what it moves. Nothing can overflow: a coin's supply is at most 2^63 - 1 (`Accounts.credit` refuses
more).
"""

from libc.stdint cimport int64_t

from ledger.accounts cimport Balance


cdef inline bint hold(Balance* balance, int64_t amount) noexcept nogil:
    """available -> frozen; False, and nothing done, where it is not there."""
    if balance.available < amount:
        return False
    balance.available -= amount
    balance.frozen += amount
    return True


cdef inline void release(Balance* balance, int64_t amount) noexcept nogil:
    """frozen -> available."""
    balance.frozen -= amount
    balance.available += amount


cdef inline void settle_fill(
    Balance* buyer_base, Balance* buyer_quote, Balance* seller_base, Balance* seller_quote,
    int64_t* base_fees, int64_t* quote_fees,
    int64_t base_amount, int64_t quote_amount, int64_t buyer_fee, int64_t seller_fee,
) noexcept nogil:
    """The buyer's frozen quote and the seller's frozen base change hands, each net of a fee."""
    buyer_quote.frozen -= quote_amount
    seller_base.frozen -= base_amount
    buyer_base.available += base_amount - buyer_fee
    seller_quote.available += quote_amount - seller_fee
    base_fees[0] += buyer_fee
    quote_fees[0] += seller_fee
