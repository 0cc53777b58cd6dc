"""Who works for the pool: sub-accounts and their workers, by number, by name, in order of coming.

A worker is found by its account and its name: open addressing over hashes, in an index of 4 bytes
an entry that is at most half full. Where long names lie and how the index is ordered is no part of
the state. A sub-account has a slot here, from 1 in the order of the first shares, whatever its
number.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pool.room cimport Reader
from pool.wide cimport wide_move, wide_t

cdef extern from * nogil:
    """
    #ifndef OREBOOK_WORKER_NAMES
    #define OREBOOK_WORKER_NAMES
    #include <string.h>

    #define NAME_SHORT_MAX 23

    /* A short name: its length, its bytes, zeros. A long one: its length; 0, or in a worker's
       record where it lies in the arena; 0. */
    typedef struct { uint64_t word[3]; } orebook_name_key;

    /* 24 bytes from `name` on must be there to be read, however short it is. */
    static inline orebook_name_key name_key_of(const char *name, uint32_t length) {
        static const uint64_t ones_then_zeros[6] = {
            ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), 0, 0, 0};
        orebook_name_key key = {{length, 0, 0}};
        uint64_t words[3], mask[3];
        if (length > NAME_SHORT_MAX) return key;
        /* Without a branch that depends on the length: nobody can guess it. */
        memcpy(words, name, sizeof(words));
        memcpy(mask, (const char *) ones_then_zeros + sizeof(mask) - length, sizeof(mask));
        for (int at = 0; at < 3; at++) words[at] &= mask[at];
        key.word[0] |= words[0] << 8;
        key.word[1] = words[0] >> 56 | words[1] << 8;
        key.word[2] = words[1] >> 56 | words[2] << 8;
        return key;
    }

    static inline uint8_t name_length(const orebook_name_key *key) {
        return (uint8_t) key->word[0];
    }

    /* Of a worker's record. */
    static inline const char *name_bytes(const orebook_name_key *key, const char *arena) {
        return name_length(key) > NAME_SHORT_MAX ? arena + key->word[1] : (const char *) key + 1;
    }

    /* Whether a worker's record has the name of a key, whose bytes are `name`. */
    static inline int name_matches(const orebook_name_key *record, const char *arena,
                                   const orebook_name_key *key, const char *name) {
        if (name_length(key) > NAME_SHORT_MAX)
            return record->word[0] == key->word[0]
                && memcmp(arena + record->word[1], name, name_length(key)) == 0;
        return ((record->word[0] ^ key->word[0]) | (record->word[1] ^ key->word[1])
                | (record->word[2] ^ key->word[2])) == 0;
    }

    static inline uint64_t name_fold(uint64_t a, uint64_t b) {
        orebook_wide product = (orebook_wide) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }

    /* 64 bits of an account and a name: words multiplied with each other, halves folded. */
    static inline uint64_t name_hash(uint64_t seed, uint64_t account, const orebook_name_key *key,
                                     const char *name) {
        uint32_t length = name_length(key);
        uint64_t words[3] = {key->word[0], key->word[1], key->word[2]};
        uint64_t hash = name_fold(seed ^ UINT64_C(0xA0761D6478BD642F),
                                  account ^ UINT64_C(0xE7037ED1A0B428DB));
        if (length > NAME_SHORT_MAX) {
            /* All bytes of it, 16 at a time; the last 16 may have been seen in part. */
            for (uint32_t at = 0; at < length; at += 16) {
                memcpy(words + 1, name + (at + 16 <= length ? at : length - 16), 16);
                hash = name_fold(hash ^ words[1], words[2] ^ UINT64_C(0x8EBC6AF09C88C6E3));
            }
            words[0] = words[1] = length;
        }
        return name_fold(name_fold(hash ^ words[0], seed ^ UINT64_C(0x589965CC75374CC3)),
                         name_fold(hash ^ words[1], words[2] ^ UINT64_C(0x1D8E4E27C47D124F)));
    }
    #endif
    """
    ctypedef struct NameKey "orebook_name_key":
        uint64_t word[3]
    enum:
        NAME_SHORT_MAX
    NameKey name_key_of(const char* name, uint32_t length)
    uint8_t name_length(const NameKey* key)
    const char* name_bytes(const NameKey* key, const char* arena)
    bint name_matches(const NameKey* record, const char* arena, const NameKey* key,
                      const char* name)
    uint64_t name_hash(uint64_t seed, uint64_t account, const NameKey* key, const char* name)

cdef enum:
    WORKERS_MAX = 4194304      # 2^22
    ACCOUNTS_MAX = 1048576
    WORKER_ROOM = WORKERS_MAX + (1 << 19)      # cells of a column; of 4 bytes: whole large pages
    ACCOUNT_ROOM = ACCOUNTS_MAX + (1 << 18)    # of 8 bytes: whole large pages
    NAME_BYTES_MAX = 64
    NAME_ROOM = NAME_BYTES_MAX + 8       # bytes that a key may be read from
    NUMBER_BITS = 23           # of an index entry; above them a tag, the hash's lowest bits
    NUMBER_MASK = (1 << NUMBER_BITS) - 1
    TAG_MASK = (1 << (32 - NUMBER_BITS)) - 1
    GUESSES = 4                # entries that are looked at for reading ahead


cdef struct Worker:
    uint32_t account       # slot; 0: the number is free
    uint32_t last_at_s     # of the last share; 0: none yet
    NameKey key


cdef struct Link:
    uint32_t prev          # workers of the same account that came before and after; 0: none
    uint32_t next


cdef struct Account:
    uint32_t number
    uint32_t first         # worker
    uint32_t last
    uint32_t count         # of workers


cdef struct NameTable:
    Worker* workers        # by number, as the next two
    Link* links
    uint32_t* groups
    char* arena            # long names, one behind the other
    Account* accounts      # by slot
    uint32_t* slots        # by account number; 0: it has none
    uint32_t* index        # tag << NUMBER_BITS | number; 0: empty
    uint32_t index_bits
    uint32_t count         # workers
    uint32_t used          # numbers ever given out; all workers' are 1 to this
    uint32_t lowest_free   # no number below it is free
    uint32_t account_count
    bint is_crowded        # an entry came to lie too far from its home
    uint64_t seed          # of the hashes
    uint64_t arena_used    # bytes
    uint64_t arena_idle    # bytes of these that no worker has any more
    wide_t name_hash
    wide_t link_hash
    wide_t seen_hash
    wide_t group_hash
    wide_t account_hash
    uint32_t* dropped_s    # by number: what was silent until then was dropped, its last worker
                           # too; 0: none was, here. No part of the state


cdef class WorkerNames:
    cdef NameTable table

    cdef int reserve(self, uint32_t more) except -1
    cdef int rehash(self, uint32_t bits) except -1
    cdef uint32_t drop_silent(self, uint32_t limit_s) except? 0xFFFFFFFF
    cdef int compact(self) except -1
    cdef bytes packed_workers(self)
    cdef bytes packed_names(self)
    cdef list pieces(self)
    cdef int restore(self, Reader* reader) except -1
    cdef int restore_names(self, Reader* reader) except -1
    cdef int restore_lists(self) except -1
    cdef list account_faults(self, uint32_t slot)


cdef uint32_t find_or_add(NameTable* table, uint32_t account, const char* name,
                          uint8_t length) noexcept nogil


cdef inline uint32_t account_slot(NameTable* table, uint32_t number) noexcept nogil:
    """0 where the account has none yet."""
    return table.slots[number]


cdef inline uint32_t hash_of(NameTable* table, uint32_t account, const NameKey* key,
                             const char* name) noexcept nogil:
    return <uint32_t> (name_hash(table.seed, account, key, name) >> 32)


cdef inline uint32_t entry_of(uint32_t number, uint32_t hash) noexcept nogil:
    return (hash & TAG_MASK) << NUMBER_BITS | number


cdef inline uint32_t index_home(NameTable* table, uint32_t hash) noexcept nogil:
    return hash >> (32 - table.index_bits)


cdef inline uint32_t index_mask(NameTable* table) noexcept nogil:
    return (<uint32_t> 1 << table.index_bits) - 1


cdef inline uint32_t guessed_worker(NameTable* table, uint32_t hash) noexcept nogil:
    """The worker whose tag is right in the entries next to the home, for reading ahead; or 0."""
    cdef uint32_t at = index_home(table, hash)
    cdef uint32_t guess = 0
    cdef uint32_t step, entry
    # All of them, the nearest last: where it lies, no branch could foretell.
    for step in range(GUESSES):
        entry = table.index[(at + (GUESSES - 1 - step)) & index_mask(table)]
        guess = entry if entry >> NUMBER_BITS == hash & TAG_MASK else guess
    return guess & NUMBER_MASK


cdef inline bint worker_is(NameTable* table, uint32_t number, uint32_t account,
                           const NameKey* key, const char* name) noexcept nogil:
    """Whether a worker is that of the account in a slot with that name; no free number is."""
    cdef Worker* worker = table.workers + number
    return worker.account == account and name_matches(&worker.key, table.arena, key, name)


cdef inline uint32_t worker_find(NameTable* table, uint32_t account, const NameKey* key,
                                 const char* name, uint32_t hash) noexcept nogil:
    """The number of a worker of the account in a slot; 0 where there is none."""
    cdef uint32_t at = index_home(table, hash)
    cdef uint32_t entry
    while True:
        entry = table.index[at]
        if entry == 0:
            return 0
        if (entry >> NUMBER_BITS == hash & TAG_MASK
                and worker_is(table, entry & NUMBER_MASK, account, key, name)):
            return entry & NUMBER_MASK
        at = (at + 1) & index_mask(table)


cdef inline void worker_seen(NameTable* table, uint32_t number, uint32_t at_s,
                             uint64_t coefficient) noexcept nogil:
    """A share of a moment; the latest counts."""
    cdef Worker* worker = table.workers + number
    if at_s > worker.last_at_s:
        wide_move(&table.seen_hash, worker.last_at_s, at_s, coefficient)
        worker.last_at_s = at_s
