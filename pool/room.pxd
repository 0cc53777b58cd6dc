"""Reserved address space: room for the most there may ever be, zero-filled, that costs memory only
where it was written to. It never moves, so nothing is copied to grow; and a reader that goes
through a dump finds in it what it needs, or is told that it is not there.

Pages are small until someone asks for large ones: one for a single cell would cost 2 MiB, but many
cells in small ones cost a miss each.
"""

cdef extern from * nogil:
    """
    #ifndef OREBOOK_ROOM
    #define OREBOOK_ROOM
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <stddef.h>
    #include <string.h>
    #include <sys/mman.h>

    #define ROOM_PAGE ((size_t) 4096)

    #define ROOM_LARGE_PAGE ((size_t) 2 << 20)

    /* From the beginning of a large page. NULL where there is no address space. */
    static inline void *room_open(size_t bytes) {
        size_t whole = (bytes + ROOM_PAGE - 1) & ~(ROOM_PAGE - 1);
        char *at = (char *) mmap(NULL, whole + ROOM_LARGE_PAGE, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        size_t before = -(size_t) at & (ROOM_LARGE_PAGE - 1);
        if (at == MAP_FAILED) return NULL;
        if (before != 0) (void) munmap(at, before);
        (void) munmap(at + before + whole, ROOM_LARGE_PAGE - before);
        (void) madvise(at + before, whole, MADV_NOHUGEPAGE);
        return at + before;
    }

    /* Let the large pages of a part be such, when they are first written to; the last one too
       where three quarters of it lie in there. */
    static inline void room_coarsen(void *at, size_t from, size_t to) {
        from = (from + ROOM_LARGE_PAGE - 1) & ~(ROOM_LARGE_PAGE - 1);
        to = (to + ROOM_LARGE_PAGE / 4) & ~(ROOM_LARGE_PAGE - 1);
        if (from < to) (void) madvise((char *) at + from, to - from, MADV_HUGEPAGE);
    }

    static inline void room_close(void *at, size_t bytes) {
        if (at) (void) munmap(at, (bytes + ROOM_PAGE - 1) & ~(ROOM_PAGE - 1));
    }

    /* Zero again, and the memory given back: whole pages from the beginning of one. */
    static inline void room_clear(void *at, size_t bytes) {
        size_t whole = (bytes + ROOM_PAGE - 1) & ~(ROOM_PAGE - 1);
        if (madvise(at, whole, MADV_DONTNEED) != 0) memset(at, 0, whole);
    }

    /* Copy into room that is zero, and leave pages alone that would stay so. */
    static inline void room_fill(void *at, const char *from, size_t bytes) {
        static const char zeros[4096];
        size_t done, part;
        for (done = 0; done < bytes; done += part) {
            part = bytes - done < ROOM_PAGE ? bytes - done : ROOM_PAGE;
            if (memcmp(from + done, zeros, part) != 0)
                memcpy((char *) at + done, from + done, part);
        }
    }

    #define room_read_ahead(address) __builtin_prefetch(address, 1, 3)

    typedef struct { const char *at; const char *end; } orebook_reader;

    /* The next bytes of a dump, or NULL where it ends before. */
    static inline const char *reader_next(orebook_reader *reader, size_t bytes) {
        const char *at = reader->at;
        if ((size_t) (reader->end - at) < bytes) return NULL;
        reader->at = at + bytes;
        return at;
    }
    #endif
    """
    size_t ROOM_PAGE
    void* room_open(size_t bytes)
    void room_coarsen(void* at, size_t start, size_t end)
    void room_close(void* at, size_t bytes)
    void room_clear(void* at, size_t bytes)
    void room_fill(void* at, const char* source, size_t bytes)
    void read_ahead "room_read_ahead"(const void* address)

    ctypedef struct Reader "orebook_reader":
        const char* at
        const char* end
    const char* reader_next(Reader* reader, size_t bytes)


cdef inline const char* taken(Reader* reader, size_t size) except NULL:
    """The next bytes of a dump; ValueError where it ends before."""
    cdef const char* at = reader_next(reader, size)
    if at is NULL:
        raise ValueError("the dump ends too early")
    return at
