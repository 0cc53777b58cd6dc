"""Reading ahead: a batch is known before it is applied, so while one command runs, the memory
that later ones need is on its way.

A command's memory is found step by step: what one step reads, the step before has asked for. For
each command applied four later ones are looked at, STRIDE commands apart; none of it changes
anything.
"""

from libc.stdint cimport uint64_t

from engine.commands cimport Head
from engine.exchange cimport Exchange

cdef enum:
    STEPS = 4
    STRIDE = 6


cdef struct Ahead:
    const Head* at[STEPS]    # what each step looks at next; step 0 is the farthest ahead
    const Head* end


cdef void ahead_start(Ahead* ahead, const Head* first, const Head* end) noexcept nogil
cdef void ahead_step(Ahead* ahead, Exchange exchange, uint64_t seq) noexcept nogil
