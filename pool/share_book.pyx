"""The steps of share_book.pxd: time goes on, batches are checked and applied, the state is kept.

Invariants: a batch that is refused changes nothing, time included; a batch is applied as it was
checked. Those of the state are in worker_names, counters and work (`check`).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from pool.counters cimport (
    ACCEPTED, ACTIVE_SLOTS, DAY, DAY_LOW_BITS, FIRST_DAY, HOUR, MINUTE, REJECTED, SLOTS, CoinSums,
    Run, Sums, column_get, is_kept, run_add, slot_of, sums_add, unit_of)
from pool.room cimport Reader, read_ahead
from pool.shares cimport (
    MALFORMED, OK, TOO_LARGE, TOO_MANY_ACCOUNTS, TOO_MANY_EPOCHS, TOO_MANY_WORKERS, BAD_NAME,
    UNKNOWN_ACCOUNT, Row, account_at, batch_open, name_is_good, names_claimed, rows_check)
from pool.wide cimport coefficient_of, wide_high, wide_of, wide_t
from pool.work cimport SHEETS_MAX, Sheet, paid_day
from pool.worker_names cimport (
    ACCOUNTS_MAX, WORKERS_MAX, NameKey, NameTable, account_slot, find_or_add, guessed_worker,
    hash_of, index_home, name_key_of, worker_find, worker_is, worker_seen)

import struct

import xxhash

from pool.shares import Reason

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    ROWS_AHEAD = 16        # between reading ahead for a row and adding it
    NAMES_AHEAD = 16       # between two steps of finding a name's worker
    NAMES_UNDERWAY = 64    # a power of two, more than twice as many
    COLUMNS = 4 * SLOTS + ACTIVE_SLOTS

COUNTS = struct.Struct("<qIIII")    # minute, numbers used, workers, accounts, last coin
BATCH_HEAD = struct.Struct("<II")
NAME_HEAD = struct.Struct("<IB")
ROW = struct.Struct("<IHHIIQII")


def packed_batch(names, rows):
    """A batch as bytes: names are (account, bytes), rows (name, coin, accepted, rejected,
    difficulty, at_s)."""
    packed = BATCH_HEAD.pack(len(names), len(rows)) + b"".join(
        NAME_HEAD.pack(account, len(name)) + name for account, name in names)
    packed += bytes(-len(packed) % 8)
    return packed + b"".join(
        ROW.pack(name, coin, 0, accepted, rejected, difficulty, at_s, 0)
        for name, coin, accepted, rejected, difficulty, at_s in rows)


cdef class ShareBook:
    """What the pool's shares change. Times are Unix seconds, difficulty and work in 2^-16."""

    def __cinit__(self):
        self.names = WorkerNames()
        self.counters = Counters()
        self.sheets = Work()

    def __dealloc__(self):
        free(self.name_at)
        free(self.found)

    def __len__(self):
        return self.names.table.count

    @property
    def minute(self):
        """Minutes since 1970-01-01 that time has reached."""
        return self.counters.sums.minute

    # -- time --------------------------------------------------------------------------------------

    def advance(self, int64_t ts_s):
        """Let time go on; how many silent workers were dropped. ValueError where it goes back."""
        cdef Sums* sums = &self.counters.sums
        cdef int64_t minute = ts_s // 60
        cdef int64_t day = unit_of(minute, DAY)
        cdef bint is_new_day = day > unit_of(sums.minute, DAY)
        if minute < sums.minute or ts_s >> 32 != 0:
            raise ValueError(f"time goes from minute {sums.minute} to {minute}")
        self.checked = NULL
        self.counters.turn(minute, &self.names.table)
        if is_new_day and day > SILENT_DAYS:
            return self.names.drop_silent(<uint32_t> ((day - SILENT_DAYS) * DAY_S))
        return 0

    # -- coins, days, groups -----------------------------------------------------------------------

    def set_epoch(self, uint32_t coin, uint32_t epoch):
        """Let a coin's shares count in an epoch from now on.

        ValueError for a coin not from 1 to 1,000, epoch 0, or one before the coin's present one.
        """
        self.sheets.set_epoch(coin, epoch)
        self.counters.sums.coin_top = max(self.counters.sums.coin_top, coin)
        self.checked = NULL

    def close_day(self, uint32_t coin, int64_t day):
        """Let shares of a coin's days up to this one count for the running day from now on.

        ValueError where the day is not over, IndexError where the coin has no epoch.
        """
        self.sheets.close_day(coin, day, unit_of(self.counters.sums.minute, DAY))
        self.checked = NULL

    def drop_day(self, uint32_t coin, int64_t day):
        """Forget a coin's work of a day. ValueError where it is not closed, IndexError where the
        coin has no epoch."""
        self.sheets.drop_day(coin, day, &self.counters.sums)
        self.checked = NULL

    def set_group(self, number, uint32_t group):
        """Let a worker belong to a group; 0: to none. IndexError where there is none."""
        self.names.set_group(number, group)

    def ungroup(self, uint32_t account, uint32_t group):
        """Let an account's workers of a group belong to none; how many they were."""
        return self.names.ungroup(account, group)

    # -- batches: checks ---------------------------------------------------------------------------

    def refusal_of(self, bytes batch not None, int64_t ts_s, bytes accounts not None):
        """(Reason, place) of a batch (docs/pool-core.md); nothing is changed.

        `accounts` has a byte for each account number, not 0 where it is a sub-account. ValueError
        where time would go back.
        """
        cdef Refusal refusal = self.check_batch(
            PyBytes_AS_STRING(batch), PyBytes_GET_SIZE(batch), ts_s,
            <const uint8_t*> PyBytes_AS_STRING(accounts), <uint32_t> PyBytes_GET_SIZE(accounts))
        self.held = batch
        return Reason(refusal.reason), refusal.place

    cdef Refusal check_batch(self, const char* start, size_t size, int64_t ts_s,
                             const uint8_t* accounts, uint32_t account_count) except *:
        cdef Refusal refusal
        refusal.reason = MALFORMED
        refusal.place = 0
        self.checked = NULL
        if ts_s // 60 < self.counters.sums.minute or ts_s >> 32 != 0:
            raise ValueError(f"time goes from minute {self.counters.sums.minute} to {ts_s // 60}")
        self.reserve(names_claimed(start, size))
        if not batch_open(start, size, &self.batch, self.name_at):
            return refusal
        refusal = names_check(&self.batch, self.name_at, accounts, account_count)
        if refusal.reason == OK:
            refusal = rows_check(&self.batch, self.sheets.epochs, ts_s, &self.brought)
        if refusal.reason == OK:
            self.resolve()
            refusal.reason = self.over_limit(ts_s)
        if refusal.reason == OK:
            self.checked = start
            self.checked_size = size
            self.checked_s = ts_s
        return refusal

    cdef int reserve(self, uint32_t names) except -1:
        """Make room for a batch's names."""
        cdef uint32_t room = max(self.room, <uint32_t> 1024)
        if names < self.room:
            return 0
        while room <= names:
            room *= 2
        self.room = 0
        self.name_at = <uint32_t*> resized(self.name_at, <size_t> room * sizeof(uint32_t))
        self.found = <Found*> resized(self.found, <size_t> room * sizeof(Found))
        self.room = room
        return 0

    cdef void resolve(self) noexcept:
        """Find the workers of the batch's names, in three steps with other names between them: each
        looks only at memory that the one before asked for."""
        cdef NameTable* table = &self.names.table
        cdef uint32_t[NAMES_UNDERWAY] hashes, guesses
        cdef NameKey[NAMES_UNDERWAY] keys
        cdef uint32_t count = self.batch.name_count
        cdef uint32_t step, at, place
        cdef const char* name
        cdef Found* found
        self.unknown_names = self.unknown_accounts = 0
        for step in range(count + 2 * NAMES_AHEAD):
            if step < count:
                place = step % NAMES_UNDERWAY
                name = self.batch.start + self.name_at[step]
                self.found[step].account = account_slot(table, account_at(name))
                # Rows follow the names, so there is something to read behind each.
                keys[place] = name_key_of(name + 5, <uint8_t> name[4])
                hashes[place] = hash_of(table, self.found[step].account, &keys[place], name + 5)
                read_ahead(table.index + index_home(table, hashes[place]))
            if NAMES_AHEAD <= step < count + NAMES_AHEAD:
                place = (step - NAMES_AHEAD) % NAMES_UNDERWAY
                guesses[place] = guessed_worker(table, hashes[place])
                read_ahead(table.workers + guesses[place])
            if step >= 2 * NAMES_AHEAD:
                at = step - 2 * NAMES_AHEAD
                place = at % NAMES_UNDERWAY
                found = self.found + at
                name = self.batch.start + self.name_at[at]
                found.number = guesses[place]
                if found.account == 0:
                    found.number = 0
                elif not worker_is(table, found.number, found.account, &keys[place], name + 5):
                    found.number = worker_find(table, found.account, &keys[place], name + 5,
                                               hashes[place])
                self.unknown_names += found.number == 0
                self.unknown_accounts += found.account == 0

    cdef uint32_t over_limit(self, int64_t ts_s) except 0:
        """The limit that the batch would break, as it stands once time is `ts_s`; else OK."""
        cdef NameTable* table = &self.names.table
        cdef int64_t today = ts_s // DAY_S
        if table.account_count + self.unknown_accounts > ACCOUNTS_MAX:
            return TOO_MANY_ACCOUNTS
        if (<uint64_t> table.count + self.unknown_names > <uint64_t> WORKERS_MAX
                and not self.has_room_after(ts_s)):
            return TOO_MANY_WORKERS
        if (self.sheets.count + 2 * self.sheets.coin_top > SHEETS_MAX
                and self.sheets.count + self.sheets_needed(today) > SHEETS_MAX):
            return TOO_MANY_EPOCHS
        return OK if self.fits_days(today) else TOO_LARGE

    cdef bint has_room_after(self, int64_t ts_s) noexcept:
        """Whether all workers have room once those are dropped whom the time drops. O(workers)."""
        cdef NameTable* table = &self.names.table
        cdef int64_t limit_s = 0
        cdef uint64_t count = self.unknown_names
        cdef uint32_t at, number
        if ts_s // DAY_S > unit_of(self.counters.sums.minute, DAY):
            limit_s = (ts_s // DAY_S - SILENT_DAYS) * DAY_S
        for at in range(self.batch.name_count):
            number = self.found[at].number
            if number != 0 and table.workers[number].last_at_s < limit_s:
                count += 1
        for at in range(1, table.used + 1):
            if table.workers[at].account != 0 and table.workers[at].last_at_s >= limit_s:
                count += 1
        return count <= <uint64_t> WORKERS_MAX

    cdef bint needs_sheet(self, uint32_t coin, int64_t today, uint32_t days_ago) noexcept:
        """Whether the batch has accepted work of a coin that is paid for that day."""
        cdef bint is_late = self.brought.coins[coin] & 2 != 0
        cdef bint is_moved = is_late and paid_day(self.sheets.closed, coin, today - 1) == today
        if days_ago == 1:
            return is_late and not is_moved
        return is_moved or self.brought.coins[coin] & 1 != 0

    cdef uint32_t sheets_needed(self, int64_t today) noexcept:
        """How many sheets the batch would open."""
        cdef uint32_t coin, days_ago
        cdef uint32_t count = 0
        for coin in range(1, self.sheets.coin_top + 1):
            for days_ago in range(2):
                if (self.needs_sheet(coin, today, days_ago)
                        and self.sheets.find(coin, <uint32_t> (today - days_ago),
                                             self.sheets.epochs[coin]) is NULL):
                    count += 1
        return count

    cdef bint fits_days(self, int64_t today) except -1:
        """Whether no worker's day, accepted or rejected, exceeds 64 bits with the batch."""
        cdef Sums* sums = &self.counters.sums
        cdef uint64_t largest
        cdef uint32_t days_ago
        cdef int which
        for which in range(2):
            for days_ago in range(2):
                largest = 0
                if is_kept(sums, today - days_ago, DAY):
                    largest = sums.workers[which][slot_of(today - days_ago, DAY)].largest
                # Most of the time, no look at single workers is needed.
                if (wide_high(self.brought.work[which] + wide_of(largest)) != 0
                        and not self.fits_day(which, today, days_ago)):
                    return False
        return True

    cdef bint fits_day(self, int which, int64_t today, uint32_t days_ago) except -1:
        """The same for one day, worker by worker; new ones count as one. O(workers)."""
        cdef Sums* sums = &self.counters.sums
        cdef uint64_t* works = <uint64_t*> calloc(<size_t> self.names.table.used + 1,
                                                  sizeof(uint64_t))
        cdef bint fits = True
        cdef uint32_t at, number
        cdef uint64_t work, before
        cdef const Row* row
        if works is NULL:
            raise MemoryError
        for at in range(self.batch.row_count):
            row = self.batch.rows + at
            if (row.at_s < today * DAY_S) != (days_ago == 1):
                continue
            number = self.found[row.name].number
            work = row.difficulty * (row.rejected if which == REJECTED else row.accepted)
            before = works[number]
            if before == 0 and number != 0 and is_kept(sums, today - days_ago, DAY):
                before = column_get(&sums.workers[which][slot_of(today - days_ago, DAY)], number,
                                    DAY_LOW_BITS)
            works[number] = before + work
            fits = fits and before + work >= before
        free(works)
        return fits

    # -- batches: changes --------------------------------------------------------------------------

    def take(self, bytes batch not None, int64_t ts_s):
        """Take a batch that `refusal_of` has just found OK at the same time; else ValueError."""
        self.apply_batch(PyBytes_AS_STRING(batch), PyBytes_GET_SIZE(batch), ts_s)
        self.held = None

    cdef int apply_batch(self, const char* start, size_t size, int64_t ts_s) except -1:
        if (self.checked is NULL or start != self.checked or size != self.checked_size
                or ts_s != self.checked_s):
            raise ValueError("the batch is not the one that was checked last")
        if self.advance(ts_s) != 0:
            self.resolve()
        self.names.reserve(self.unknown_names)
        self.prepare(ts_s)
        self.apply_rows(<uint32_t> ts_s)
        return 0

    cdef int prepare(self, int64_t ts_s) except -1:
        """Find the slots and sheets that rows may need."""
        cdef int64_t minute = ts_s // 60
        cdef int64_t today = ts_s // DAY_S
        cdef int64_t then
        cdef uint32_t back, coin, days_ago
        for back in range(MINUTES_BACK):
            then = max(minute - back, <int64_t> 0)
            self.moments[back].minute = slot_of(then, MINUTE)
            self.moments[back].hour = slot_of(unit_of(then, HOUR), HOUR)
            self.moments[back].day = slot_of(unit_of(then, DAY), DAY)
            self.moments[back].days_ago = <uint32_t> (today - unit_of(then, DAY))
        for coin in range(1, self.sheets.coin_top + 1):
            if self.brought.coins[coin] == 0:
                continue
            for days_ago in range(2):
                self.sheet_of[days_ago][coin] = NULL
                if self.needs_sheet(coin, today, days_ago):
                    self.sheet_of[days_ago][coin] = self.sheets.open(
                        coin, <uint32_t> (today - days_ago))
            self.is_moved[coin] = paid_day(self.sheets.closed, coin, today - 1) == today
            if self.is_moved[coin]:
                self.sheet_of[1][coin] = self.sheet_of[0][coin]
        return 0

    cdef void apply_rows(self, uint32_t ts_s) noexcept:
        """Add all rows; nothing can fail from here on."""
        cdef Sums* sums = &self.counters.sums
        cdef uint32_t now_minute = ts_s // 60
        cdef uint32_t at, at_s, back
        cdef uint64_t coefficient, account_coefficient
        cdef const Row* row
        cdef Found found
        cdef Run run
        memset(&run, 0, sizeof(Run))
        run.moment = self.moments
        for at in range(self.batch.row_count):
            self.look_ahead(at, now_minute, ts_s)
            row = self.batch.rows + at
            found = self.found[row.name]
            if found.number == 0:
                found = self.bring(row.name)
            at_s = min(row.at_s, ts_s)
            back = now_minute - at_s // 60
            if row.coin != run.coin or self.moments + back != run.moment:
                self.end_run(&run)
                run.coin = row.coin
                run.moment = self.moments + back
            coefficient = coefficient_of(found.number)
            account_coefficient = coefficient_of(found.account)
            worker_seen(&self.names.table, found.number, at_s, coefficient)
            if row.accepted != 0:
                sums_add(sums, ACCEPTED, found.number, found.account, &run,
                         row.accepted * row.difficulty, coefficient, account_coefficient)
                self.sheet_of[run.moment.days_ago][row.coin].work[found.account] += (
                    row.accepted * row.difficulty)
            if row.rejected != 0:
                sums_add(sums, REJECTED, found.number, found.account, &run,
                         row.rejected * row.difficulty, coefficient, account_coefficient)
        self.end_run(&run)

    cdef Found bring(self, uint32_t place) noexcept:
        """The worker of a name that had none, nor its account perhaps, when the batch came."""
        cdef NameTable* table = &self.names.table
        cdef const char* name = self.batch.start + self.name_at[place]
        cdef Found found
        found.number = find_or_add(table, account_at(name), name + 5, <uint8_t> name[4])
        found.account = table.workers[found.number].account
        self.found[place] = found
        return found

    cdef void end_run(self, Run* run) noexcept nogil:
        """Add what a run has in common, and let it be empty."""
        cdef Sums* sums = &self.counters.sums
        cdef Sheet* sheet
        if run.work[ACCEPTED] != 0:
            sheet = self.sheet_of[run.moment.days_ago][run.coin]
            sheet.total += run.work[ACCEPTED]
            sheet.hash += run.account_hash[ACCEPTED]
            if run.moment.days_ago != 0 and self.is_moved[run.coin]:
                sums.coins[run.coin].moved[self.moments[0].day - FIRST_DAY] += run.work[ACCEPTED]
            run_add(sums, ACCEPTED, run)
        if run.work[REJECTED] != 0:
            run_add(sums, REJECTED, run)

    cdef void look_ahead(self, uint32_t at, uint32_t now_minute, uint32_t ts_s) noexcept nogil:
        """Ask for the memory of a later row, and for a row that is later still."""
        cdef Sums* sums = &self.counters.sums
        cdef const Row* row
        cdef const Moment* moment
        cdef Found found
        cdef int which
        read_ahead(self.batch.rows + at + 2 * ROWS_AHEAD)
        if at + ROWS_AHEAD >= self.batch.row_count:
            return
        row = self.batch.rows + at + ROWS_AHEAD
        found = self.found[row.name]
        moment = &self.moments[now_minute - min(row.at_s, ts_s) // 60]
        read_ahead(self.names.table.workers + found.number)
        for which in range(1 + (row.rejected != 0)):
            read_ahead(sums.workers[which][moment.minute].middle + found.number)
            read_ahead(sums.workers[which][moment.hour].middle + found.number)
            read_ahead(sums.workers[which][moment.day].middle + found.number)
            read_ahead(sums.accounts[which][moment.minute].low + found.account)
            read_ahead(sums.accounts[which][moment.hour].low + found.account)
            read_ahead(sums.accounts[which][moment.day].low + found.account)
        if row.accepted != 0:
            read_ahead(self.sheet_of[moment.days_ago][row.coin].work + found.account)

    def add(self, uint32_t account, str name not None, coin, difficulty, accepted, rejected,
            at_s, ts_s):
        """Take one row, of an account known to be a sub-account; ValueError where it is refused."""
        batch = packed_batch([(account, name.encode())],
                             [(0, coin, accepted, rejected, difficulty, at_s)])
        reason, _ = self.refusal_of(batch, ts_s, bytes(account) + b"\1")
        if reason != Reason.OK:
            raise ValueError(reason.name)
        self.take(batch, ts_s)

    # -- the state as a whole ----------------------------------------------------------------------

    def pieces(self):
        """The state as buffers. They show the live memory: to be read before the next change."""
        cdef NameTable* table = &self.names.table
        return self.names.pieces() + self.counters.pieces(table) + self.sheets.pieces(table)

    def dump(self):
        """The state as bytes, the same for the same batches."""
        return b"".join(self.pieces())

    cdef int load_into(self, bytes dumped) except -1:
        """Take over a dump, where nothing is yet."""
        cdef NameTable* table = &self.names.table
        cdef Reader reader
        reader.at = PyBytes_AS_STRING(dumped)
        reader.end = PyBytes_AS_STRING(dumped) + PyBytes_GET_SIZE(dumped)
        self.names.restore(&reader)
        self.counters.restore(&reader, table)
        self.sheets.restore(&reader, table)
        if reader.at != reader.end:
            raise ValueError(f"{reader.end - reader.at} bytes are left of the dump")
        return 0

    def digest(self):
        """16 bytes over all of the state, from the running hashes: O(columns + coins)."""
        cdef NameTable* table = &self.names.table
        cdef Sums* sums = &self.counters.sums
        cdef wide_t[COLUMNS + 5] hashes
        cdef size_t count = self.counters.hashes(hashes)
        hashes[count] = table.name_hash
        hashes[count + 1] = table.link_hash
        hashes[count + 2] = table.seen_hash
        hashes[count + 3] = table.group_hash
        hashes[count + 4] = table.account_hash
        state = xxhash.xxh3_128(COUNTS.pack(sums.minute, table.used, table.count,
                                            table.account_count, sums.coin_top))
        state.update(memory_of(<char*> hashes, sizeof(hashes), PyBUF_READ))
        state.update(memory_of(<char*> (sums.coins + 1),
                               <Py_ssize_t> sums.coin_top * sizeof(CoinSums), PyBUF_READ))
        state.update(self.sheets.digest_parts())
        return state.digest()

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(workers x slots)."""
        cdef NameTable* table = &self.names.table
        return (self.names.check() + self.counters.check(table)
                + self.sheets.check(&self.counters.sums, table))


cdef Refusal names_check(const Batch* batch, const uint32_t* name_at, const uint8_t* accounts,
                         uint32_t account_count) noexcept nogil:
    """The first name that cannot be one, or whose account is none."""
    cdef Refusal refusal
    cdef uint32_t at, account
    cdef const char* name
    refusal.reason = OK
    for at in range(batch.name_count):
        name = batch.start + name_at[at]
        account = account_at(name)
        refusal.place = at
        if not name_is_good(name + 5, <uint8_t> name[4]):
            refusal.reason = BAD_NAME
            return refusal
        if account == 0 or account >= account_count or accounts[account] == 0:
            refusal.reason = UNKNOWN_ACCOUNT
            return refusal
    refusal.place = 0
    return refusal


cdef void* resized(void* memory, size_t size) except NULL:
    cdef void* larger = realloc(memory, size)
    if larger is NULL:
        raise MemoryError
    return larger
