"""Rows of shares, decoded but not yet understood, to the batch of docs/pool-core.md.

A row is any object with the attributes user, worker, coin, difficulty, accepted, rejected and at. A
number is an int, a float or a str, or the JSON text of one as bytes that a buffer shows. Each is
read exactly, in a time that its length bounds: a value that is no such number is refused, never
rounded. Ten thousand rows hold the loop for a few milliseconds, whatever is in them.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy, memset

from pool.shares cimport Row
from pool.wide cimport wide_high, wide_low, wide_of, wide_t
from pool.worker_names cimport NAME_BYTES_MAX

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    int64_t long_or_overflow "PyLong_AsLongLongAndOverflow"(object value, int* overflow) except? -1

cdef enum:
    HEAD_BYTES = 8
    NAME_HEAD_BYTES = 5
    FRACTION_BITS = 16
    FRACTION_MASK = (1 << FRACTION_BITS) - 1
    UNITS_BITS = 80                 # no field takes as many
    DIGITS_MAX = 33                 # 10^33 x 2^16 is below 2^128
    POWER_MAX = 38                  # 10^38 is too
    EXPONENT_MAX = 1 << 30          # beyond it an exponent says nothing more
    DOUBLE_BITS = 52                # of a double's fraction
    DOUBLE_EXPONENT_MAX = 0x7FF     # it is no number
    DOUBLE_EXPONENT_OF_UNIT = 1059  # the last bit of a fraction counts 2^-16
    MARKS_A_ROW = 8                 # a brace, and a comma behind each of seven fields


# What is wrong with a number; the first of these is told.
cpdef enum NumberFault:
    NO_NUMBER = 1
    IS_ZERO
    IS_NEGATIVE
    IS_TOO_LARGE
    IS_INEXACT


class RowRefused(ValueError):
    """A row that cannot be packed: its place, the field that is wrong, and a NumberFault where
    that is a number, else None."""

    def __init__(self, place, field, fault=None):
        super().__init__(f"rows[{place}].{field}")
        self.place = place
        self.field = field
        self.fault = None if fault is None else NumberFault(fault)


# A number's size, rounded down to a multiple of 2^-16.
cdef struct Fixed:
    wide_t units               # at most TOO_LARGE
    bint is_exact
    bint is_negative


cdef wide_t TOO_LARGE = wide_of(1) << UNITS_BITS


cdef class Owner:
    """A spelling of a sub-account's name."""
    cdef uint32_t account
    cdef str prefix            # what a worker's name may begin with, in lower case
    cdef dict places           # of its workers in the names


def packed_rows(list rows not None, account_of, coin_of):
    """(batch, the row in which each of its names is first, the greater work of its first row in
    2^-16) of at least one row.

    `account_of` and `coin_of` give the number of a name, None where there is none. RowRefused for
    the first field that cannot be taken, by fields: user and worker, coin, difficulty, accepted,
    rejected, at; of these the first row.
    """
    cdef Py_ssize_t count = len(rows)
    cdef char* names
    cdef uint32_t* places
    cdef list first_rows = []
    cdef size_t size
    cdef bytes batch
    cdef Row* packed
    if count == 0:
        raise ValueError("there is no row")
    places = <uint32_t*> malloc(
        <size_t> count * (sizeof(uint32_t) + NAME_HEAD_BYTES + NAME_BYTES_MAX))
    if places is NULL:
        raise MemoryError
    names = <char*> (places + count)
    try:
        size = names_packed(rows, account_of, names, places, first_rows)
        batch = PyBytes_FromStringAndSize(
            NULL, HEAD_BYTES + size + -(HEAD_BYTES + size) % 8 + count * sizeof(Row))
        packed = opened(batch, names, size, places, count, len(first_rows))
    finally:
        free(places)
    coins_packed(rows, coin_of, packed)
    numbers_packed(rows, packed)
    first_work = max(packed.accepted, packed.rejected) * <object> packed.difficulty
    return batch, first_rows, first_work


cdef Row* opened(bytes batch, const char* names, size_t size, const uint32_t* places,
                 Py_ssize_t count, Py_ssize_t name_count) noexcept:
    """Write what stands in front of the rows, and their places in the names; the rows."""
    cdef char* start = PyBytes_AS_STRING(batch)
    cdef Row* packed = <Row*> (start + PyBytes_GET_SIZE(batch)) - count
    cdef Py_ssize_t at
    memset(start, 0, PyBytes_GET_SIZE(batch))
    (<uint32_t*> start)[0] = <uint32_t> name_count
    (<uint32_t*> start)[1] = <uint32_t> count
    memcpy(start + HEAD_BYTES, names, size)
    for at in range(count):
        packed[at].name = places[at]
    return packed


cdef size_t names_packed(list rows, account_of, char* names, uint32_t* places,
                         list first_rows) except? 0:
    """Write the names one behind the other, and each row's place in them; how many bytes."""
    cdef char* end = names
    cdef dict owners = {}
    cdef Owner owner
    cdef Py_ssize_t at
    cdef uint32_t count = 0
    cdef str user, worker
    for at in range(len(rows)):
        row = rows[at]
        user = row.user
        worker = row.worker
        owner = owners.get(user)
        if owner is None:
            account = account_of(user)
            if account is None:
                raise RowRefused(at, "user")
            owner = Owner.__new__(Owner)
            owner.account = account
            owner.prefix = f"{user.lower()}."
            owner.places = {}
            owners[user] = owner
        place = owner.places.get(worker)
        if place is None:
            if "." in worker and worker[:len(user) + 1].lower() == owner.prefix:
                end = name_packed(end, owner.account, worker[len(user) + 1:], at)
            else:
                end = name_packed(end, owner.account, worker, at)
            owner.places[worker] = place = count
            first_rows.append(at)
            count += 1
        places[at] = place
    return end - names


cdef char* name_packed(char* at, uint32_t account, str name, Py_ssize_t row) except NULL:
    cdef Py_ssize_t size
    cdef const char* text
    cdef bytes encoded
    if len(name) > NAME_BYTES_MAX:
        raise RowRefused(row, "worker")
    try:
        text = PyUnicode_AsUTF8AndSize(name, &size)
    except UnicodeEncodeError:
        encoded = name.encode("utf-8", "replace")
        text, size = PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded)
    if not 0 < size <= NAME_BYTES_MAX:
        raise RowRefused(row, "worker")
    memcpy(at, &account, sizeof(account))
    at[4] = <char> size
    memcpy(at + NAME_HEAD_BYTES, text, size)
    return at + NAME_HEAD_BYTES + size


cdef int coins_packed(list rows, coin_of, Row* packed) except -1:
    cdef dict numbers = {}
    cdef Py_ssize_t at
    for at in range(len(rows)):
        name = rows[at].coin
        number = numbers.get(name)
        if number is None:
            number = coin_of(name)
            if number is None:
                raise RowRefused(at, "coin")
            numbers[name] = number
        packed[at].coin = number
    return 0


cdef int numbers_packed(list rows, Row* packed) except -1:
    cdef Py_ssize_t at
    cdef int fault
    cdef Fixed read
    for at in range(len(rows)):
        fault = number_read(rows[at].difficulty, True, &read) or difficulty_fault(&read)
        if fault != 0:
            raise RowRefused(at, "difficulty", fault)
        packed[at].difficulty = wide_low(read.units)
    for at in range(len(rows)):
        fault = number_read(rows[at].accepted, False, &read) or count_fault(&read)
        if fault != 0:
            raise RowRefused(at, "accepted", fault)
        packed[at].accepted = <uint32_t> wide_low(read.units >> FRACTION_BITS)
    for at in range(len(rows)):
        fault = number_read(rows[at].rejected, False, &read) or count_fault(&read)
        if fault != 0:
            raise RowRefused(at, "rejected", fault)
        packed[at].rejected = <uint32_t> wide_low(read.units >> FRACTION_BITS)
    for at in range(len(rows)):
        fault = number_read(rows[at].at, False, &read) or second_fault(&read)
        if fault != 0:
            raise RowRefused(at, "at", fault)
        packed[at].at_s = <uint32_t> wide_low(read.units >> FRACTION_BITS)
    return 0


cdef inline int difficulty_fault(const Fixed* read) noexcept:
    if read.units == 0 and read.is_exact:
        return IS_ZERO
    if read.is_negative:
        return IS_NEGATIVE
    if wide_high(read.units) != 0:
        return IS_TOO_LARGE
    return 0 if read.is_exact else IS_INEXACT


cdef inline int count_fault(const Fixed* read) noexcept:
    if not read.is_exact or wide_low(read.units) & FRACTION_MASK != 0:
        return IS_INEXACT
    return second_fault(read)


cdef inline int second_fault(const Fixed* read) noexcept:
    """Of what is before the point."""
    if read.is_negative and read.units >> FRACTION_BITS != 0:
        return IS_NEGATIVE
    return 0 if read.units >> (FRACTION_BITS + 32) == 0 else IS_TOO_LARGE


# -- numbers ---------------------------------------------------------------------------------------

cdef int number_read(value, bint is_text_taken, Fixed* read) except -1:
    """Read a number: 0, or NO_NUMBER. What is too large for any field has TOO_LARGE units. A str,
    and a JSON string, is looked at where text is taken."""
    cdef const char* text
    cdef Py_ssize_t size
    cdef Py_buffer shown
    cdef bytes plain
    if type(value) is int:
        return int_read(value, read)
    if type(value) is float:
        return double_read(value, read)
    if type(value) is str:
        if not is_text_taken or not value.isascii():
            return NO_NUMBER
        text = PyUnicode_AsUTF8AndSize(value, &size)
        return text_read(text, text + size, read)
    PyObject_GetBuffer(value, &shown, PyBUF_SIMPLE)
    text, size = <const char*> shown.buf, shown.len
    try:
        if size < 2 or text[0] != c'"':
            return text_read(text, text + size, read)
        if not is_text_taken:
            return NO_NUMBER
        if memchr(text, c'\\', size) is NULL:
            return text_read(text + 1, text + size - 1, read)
        plain = unescaped(text + 1, text + size - 1)
        text, size = PyBytes_AS_STRING(plain), PyBytes_GET_SIZE(plain)
        return text_read(text, text + size, read)
    finally:
        PyBuffer_Release(&shown)


cdef bytes unescaped(const char* at, const char* end):
    """The characters of a JSON string; nothing where one is escaped that no number has."""
    cdef bytes plain = PyBytes_FromStringAndSize(NULL, end - at)
    cdef char* to = PyBytes_AS_STRING(plain)
    while at != end:
        if at[0] != c'\\':
            to[0] = at[0]
            at += 1
        elif end - at >= 6 and at[1] == c'u' and at[2] == c'0' and at[3] == c'0':
            to[0] = <char> (hex_digit(at[4]) << 4 | hex_digit(at[5]))
            at += 6
        else:
            return b""
        to += 1
    return plain[:to - PyBytes_AS_STRING(plain)]


cdef inline int hex_digit(char character) noexcept nogil:
    """Of a character that is one."""
    return character - c'0' if character <= c'9' else (character | 0x20) - c'a' + 10


cdef int int_read(value, Fixed* read) except -1:
    cdef int overflow = 0
    cdef int64_t number = long_or_overflow(value, &overflow)
    cdef uint64_t size = <uint64_t> number
    read.is_exact = True
    read.is_negative = overflow < 0 or overflow == 0 and number < 0
    read.units = wide_of(0 - size if number < 0 else size) << FRACTION_BITS
    if overflow != 0:
        read.units = TOO_LARGE
    return 0


cdef int double_read(double value, Fixed* read) noexcept nogil:
    """From its bits: sign, exponent, fraction (IEEE 754)."""
    cdef uint64_t bits, fraction
    cdef int shift
    memcpy(&bits, &value, sizeof(bits))
    fraction = bits & ((<uint64_t> 1 << DOUBLE_BITS) - 1)
    shift = <int> (bits >> DOUBLE_BITS & DOUBLE_EXPONENT_MAX) - DOUBLE_EXPONENT_OF_UNIT
    read.is_negative = bits >> 63
    read.is_exact = True
    if shift == DOUBLE_EXPONENT_MAX - DOUBLE_EXPONENT_OF_UNIT:
        return NO_NUMBER
    if shift > UNITS_BITS - DOUBLE_BITS - 1:
        read.units = TOO_LARGE
    elif shift >= 0:
        read.units = wide_of(fraction | <uint64_t> 1 << DOUBLE_BITS) << shift
    elif shift >= -DOUBLE_BITS:
        fraction |= <uint64_t> 1 << DOUBLE_BITS
        read.units = wide_of(fraction >> -shift)
        read.is_exact = fraction & ((<uint64_t> 1 << -shift) - 1) == 0
    else:
        read.units = 0
        read.is_exact = bits << 1 == 0
    return 0


cdef int text_read(const char* at, const char* end, Fixed* read) noexcept nogil:
    """[sign] digits [. digits] [e [sign] digits]: ASCII alone, and one digit at least in front of
    the e. Digits after the first DIGITS_MAX that count only tell whether there were any."""
    cdef wide_t digits = 0
    cdef int64_t exponent = 0
    cdef uint32_t known = 0
    cdef bint has_point = False
    cdef bint has_digit = False
    cdef bint is_cut = False
    cdef char sign = at[0] if at != end else 0
    at += sign == c'-' or sign == c'+'
    while at != end and (is_digit(at[0]) or at[0] == c'.' and not has_point):
        if at[0] == c'.':
            has_point = True
        elif known < DIGITS_MAX:
            has_digit = True
            digits = digits * 10 + wide_of(at[0] - c'0')
            known += digits != 0
            exponent -= has_point
        else:
            is_cut = is_cut or at[0] != c'0'
            exponent += not has_point
        at += 1
    if not has_digit or at != end and not exponent_read(at, end, &exponent):
        return NO_NUMBER
    read.is_negative = sign == c'-'
    scale(digits, exponent, is_cut, read)
    return 0


cdef inline bint is_digit(char character) noexcept nogil:
    return c'0' <= character <= c'9'


cdef bint exponent_read(const char* at, const char* end, int64_t* exponent) noexcept nogil:
    """Add what is written as e, a sign perhaps and digits; False for anything else."""
    cdef int64_t written = 0
    cdef bint is_negative = False
    if at[0] != c'e' and at[0] != c'E':
        return False
    at += 1
    if at != end and (at[0] == c'-' or at[0] == c'+'):
        is_negative = at[0] == c'-'
        at += 1
    if at == end:
        return False
    while at != end:
        if not is_digit(at[0]):
            return False
        written = min(written * 10 + (at[0] - c'0'), <int64_t> EXPONENT_MAX)
        at += 1
    exponent[0] += -written if is_negative else written
    return True


@cython.cdivision(True)
cdef void scale(wide_t digits, int64_t exponent, bint is_cut, Fixed* read) noexcept nogil:
    """Read digits x 10^exponent, and a bit more where digits were cut."""
    cdef wide_t units = digits << FRACTION_BITS
    cdef wide_t power = 1
    read.is_exact = not is_cut
    if exponent < -POWER_MAX:
        read.is_exact = read.is_exact and digits == 0
        units = 0
    while exponent > 0 and units != 0 and units >> UNITS_BITS == 0:
        units *= 10
        exponent -= 1
    while -POWER_MAX <= exponent < 0:
        power *= 10
        exponent += 1
    if power != 1:
        read.is_exact = read.is_exact and units % power == 0
        units //= power
    read.units = units if units >> UNITS_BITS == 0 else TOO_LARGE


# -- what is no list of rows -----------------------------------------------------------------------

def is_longer_than(bytes text not None, uint32_t rows):
    """Whether a JSON text has more lists, objects and commas than so many rows can have: told in a
    fraction of the time that it would take to decode it."""
    cdef const char* at = PyBytes_AS_STRING(text)
    cdef const char* end = at + PyBytes_GET_SIZE(text)
    cdef uint64_t marks = 0
    while at != end:
        if at[0] == c'"':
            at = string_end(at + 1, end)
        else:
            marks += at[0] == c',' or at[0] == c'{' or at[0] == c'['
            at += 1
    # A row more, for the list and what is around it.
    return marks > <uint64_t> MARKS_A_ROW * (<uint64_t> rows + 1)


cdef const char* string_end(const char* at, const char* end) noexcept nogil:
    """What follows a string, from the place behind its first quote."""
    while at != end and at[0] != c'"':
        at += 2 if at[0] == c'\\' and end - at > 1 else 1
    return at + (at != end)
