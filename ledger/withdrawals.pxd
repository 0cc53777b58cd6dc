"""What users have asked to be paid out: objects of open withdrawals, bytes of closed ones."""

from libc.stdint cimport int64_t, uint32_t, uint64_t


# Withdrawals and indexes may be many, and none refers back to another: the collector of garbage,
# which would stop the house while it walks over them, has no business with them. So they hold but
# numbers and texts, and a list of numbers is in bytes: an array would be the collector's, too.
cdef class Withdrawal:
    cdef public uint64_t id
    cdef public uint32_t uid
    cdef public uint32_t coin
    cdef public int64_t amount          # units, the fee included
    cdef public int64_t fee             # units
    cdef public str address
    cdef public int status              # a Status
    cdef public str txid                # of a signed or finished one
    cdef public int64_t requested_ns
    cdef public str request_id
    cdef public bint whole              # the request named no amount but asked for all there was


cdef class UserWithdrawals:
    cdef public bytearray ids           # all, rising: ID each
    cdef public bytearray remembered    # closed ones that had a request id; None: there are none
    cdef public uint32_t open_count


cdef class Withdrawals:
    cdef public object signed       # SignedTransactions, for reading
    cdef public dict _open          # Withdrawal by id
    cdef public list _packed        # by id - 1; None: it is open
    cdef public dict _by_user       # UserWithdrawals by uid
    # By request id: the id that bears it; where it is of several users, ids by uid. One that a
    # client made up is one user's: it costs no dict.
    cdef public dict _by_request_id
    cdef object _hash

    cpdef uint32_t open_count(self, uint32_t uid) except? 0xFFFFFFFF
    cpdef Withdrawal request_approved(self, uint32_t uid, uint32_t coin, int64_t amount,
                                      int64_t fee, str address, int64_t requested_ns,
                                      str request_id)
    cdef Withdrawal insert(self, Withdrawal withdrawal)
    cdef UserWithdrawals own_of(self, uint32_t uid)
    cdef int change(self, Withdrawal withdrawal, int status, str txid) except -1
    cdef int close(self, Withdrawal withdrawal, int status, str txid) except -1
    cdef int name(self, str request_id, uint32_t uid, number) except -1
    cdef int forget(self, str request_id, uint32_t uid) except -1
    cdef uint32_t uid_of(self, number) except? 0xFFFFFFFF
