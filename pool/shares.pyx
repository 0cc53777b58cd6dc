"""The checks of shares.pxd: each looks at every byte before it believes it, and changes nothing."""

from libc.stdint cimport uint8_t
from libc.string cimport memset

from pool.room cimport read_ahead
from pool.wide cimport wide_product
from pool.worker_names cimport NAME_BYTES_MAX

cdef enum:
    HEAD_BYTES = 8
    NAME_HEAD_BYTES = 5
    DAY_S = 86400
    BYTES_AHEAD = 1024       # of what is looked at from its beginning to its end

if sizeof(Row) != 32:
    raise ImportError(f"a row has {sizeof(Row)} bytes, not 32")


cdef bint batch_open(const char* start, size_t size, Batch* batch,
                     uint32_t* name_at) noexcept nogil:
    """Find where the names (`names_claimed` of them) and the rows lie; whether all is there."""
    cdef size_t at = HEAD_BYTES
    cdef uint32_t name
    if size < HEAD_BYTES or size >> 32 != 0:
        return False
    batch.start = start
    batch.name_count = (<const uint32_t*> start)[0]
    batch.row_count = (<const uint32_t*> start)[1]
    if batch.name_count != names_claimed(start, size) or batch.row_count == 0:
        return False
    for name in range(batch.name_count):
        if size - at < NAME_HEAD_BYTES:
            return False
        read_ahead(start + at + BYTES_AHEAD)
        name_at[name] = <uint32_t> at
        at += NAME_HEAD_BYTES + <uint8_t> start[at + 4]
        if at > size:
            return False
    while at % 8 != 0:
        if at >= size or start[at] != 0:
            return False
        at += 1
    batch.rows = <const Row*> (start + at)
    return size - at == <size_t> batch.row_count * sizeof(Row)


cdef bint name_is_good(const char* name, uint8_t length) noexcept nogil:
    """Whether a worker's name has 1 to 64 bytes of UTF-8 and no control characters."""
    cdef uint8_t at = 0
    if not 1 <= length <= NAME_BYTES_MAX:
        return False
    while at + 8 <= length and not word_is_odd(name + at):
        at += 8
    while at < length:
        if 0x20 <= <uint8_t> name[at] < 0x7F:
            at += 1
        else:
            return utf8_is_good(<const uint8_t*> name + at, length - at)
    return True


cdef bint utf8_is_good(const uint8_t* at, uint32_t length) noexcept nogil:
    """Whether bytes are UTF-8 (shortest forms, no surrogates) without control characters."""
    cdef const uint8_t* end = at + length
    cdef uint32_t character, more, least
    while at < end:
        character = at[0]
        at += 1
        if character < 0x80:
            more = least = 0
        elif character >> 5 == 0x06:
            character, more, least = character & 0x1F, 1, 0x80
        elif character >> 4 == 0x0E:
            character, more, least = character & 0x0F, 2, 0x800
        elif character >> 3 == 0x1E:
            character, more, least = character & 0x07, 3, 0x10000
        else:
            return False
        if end - at < more:
            return False
        while more != 0:
            if at[0] >> 6 != 0x02:
                return False
            character = character << 6 | at[0] & 0x3F
            at += 1
            more -= 1
        if (character < least or character > 0x10FFFF or 0xD800 <= character < 0xE000
                or character < 0x20 or 0x7F <= character < 0xA0):
            return False
    return True


cdef Refusal rows_check(const Batch* batch, const uint32_t* epochs, int64_t now_s,
                        Brought* brought) noexcept nogil:
    """The first row that cannot be taken and why; all together where there is none."""
    cdef Refusal refusal
    cdef const Row* row
    cdef int64_t day = now_s // DAY_S
    cdef uint32_t at
    memset(brought, 0, sizeof(Brought))
    refusal.reason = OK
    refusal.place = 0
    for at in range(batch.row_count):
        row = batch.rows + at
        read_ahead(<const char*> row + BYTES_AHEAD)
        refusal.reason = row_check(row, batch.name_count, epochs, now_s)
        if refusal.reason != OK:
            refusal.place = at
            break
        brought.work[0] += wide_product(row.accepted, row.difficulty)
        brought.work[1] += wide_product(row.rejected, row.difficulty)
        if row.accepted != 0:
            brought.coins[row.coin] |= 1 if row.at_s >= day * DAY_S else 2
    return refusal


cdef inline uint32_t row_check(const Row* row, uint32_t name_count, const uint32_t* epochs,
                               int64_t now_s) noexcept nogil:
    if row.name >= name_count or row.zero != 0 or row.zero_too != 0:
        return MALFORMED
    if row.coin > COINS_MAX or epochs[row.coin] == 0:
        return BAD_COIN
    if row.difficulty == 0:
        return BAD_DIFFICULTY
    if row.accepted == 0 and row.rejected == 0:
        return NO_SHARES
    if (work_is_too_large(row.accepted, row.difficulty)
            or work_is_too_large(row.rejected, row.difficulty)):
        return TOO_LARGE
    if row.at_s < now_s - LATE_MAX_S or row.at_s > now_s + AHEAD_MAX_S:
        return BAD_TIME
    return OK
