"""The buffers of records.pxd."""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.ref cimport Py_REFCNT

cdef enum:
    FIRST_CAPACITY = 1024
    POOL_MAX = 4


cdef class RecordBuffer:
    """Bytes-like, read-only, not written again while anyone refers to it; `len` is bytes."""

    def __init__(self, Py_ssize_t record_bytes):
        self.record_bytes = record_bytes

    def __dealloc__(self):
        PyMem_RawFree(self.base)

    cdef int reserve(self, Py_ssize_t capacity) except -1:
        """Make room for so many records in all, at least doubling it."""
        cdef Py_ssize_t room = self.capacity if self.capacity > 0 else FIRST_CAPACITY
        cdef char* moved
        if capacity <= self.capacity:
            return 0
        while room < capacity:
            room *= 2
        moved = <char*> PyMem_RawRealloc(self.base, room * self.record_bytes)
        if moved is NULL:
            raise MemoryError
        self.base = moved
        self.capacity = room
        return 0

    def __len__(self):
        return self.count * self.record_bytes

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.base, self.count * self.record_bytes, 1, flags)

    def __bytes__(self):
        return self.base[:self.count * self.record_bytes]


cdef class BufferPool:

    def __init__(self, Py_ssize_t record_bytes):
        self.buffers = []
        self.record_bytes = record_bytes

    cdef RecordBuffer take(self):
        """An empty buffer that nobody else refers to."""
        cdef RecordBuffer buffer
        for buffer in self.buffers:
            if Py_REFCNT(buffer) == 2:   # the pool's and ours
                buffer.count = 0
                return buffer
        buffer = RecordBuffer(self.record_bytes)
        buffer.reserve(FIRST_CAPACITY)
        if len(self.buffers) < POOL_MAX:
            self.buffers.append(buffer)
        return buffer
