"""A growing run of fixed-size records: the core writes, anyone reads by the buffer protocol."""


cdef class RecordBuffer:
    cdef char* base
    cdef Py_ssize_t count         # records in it
    cdef Py_ssize_t capacity      # records there is room for
    cdef Py_ssize_t record_bytes

    cdef int reserve(self, Py_ssize_t capacity) except -1


cdef class BufferPool:
    """Buffers of one record size.

    One that nobody but the pool refers to is used again, so that a steady stream of batches
    neither allocates nor touches fresh pages.
    """
    cdef list buffers
    cdef Py_ssize_t record_bytes

    cdef RecordBuffer take(self)
