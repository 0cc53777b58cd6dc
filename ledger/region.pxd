"""A growing, zero-filled run of memory for arrays of structs, addressed by index.

Growing keeps what is there, may move it, and fills the new part with zeros without touching it
(anonymous mapping): room that is not used costs no memory. Large regions ask for huge pages, which
spares random access most TLB misses.
"""

cdef extern from * nogil:
    """
    #ifndef OREBOOK_REGION
    #define OREBOOK_REGION
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <stddef.h>
    #include <sys/mman.h>

    #define REGION_PAGE ((size_t) 4096)
    #define REGION_HUGE ((size_t) 8 << 20)

    typedef struct { char *base; size_t bytes; } orebook_region;

    /* Make room for `bytes`; 0, or -1 where there is no memory (then nothing changed). */
    static inline int region_reserve(orebook_region *region, size_t bytes) {
        size_t room = region->bytes ? region->bytes : REGION_PAGE;
        void *base;
        if (bytes <= region->bytes) return 0;
        while (room < bytes) room *= 2;
        if (region->bytes)
            base = mremap(region->base, region->bytes, room, MREMAP_MAYMOVE);
        else
            base = mmap(NULL, room, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) return -1;
        region->base = (char *) base;
        region->bytes = room;
        if (room >= REGION_HUGE) (void) madvise(base, room, MADV_HUGEPAGE);
        return 0;
    }

    static inline void region_release(orebook_region *region) {
        if (region->bytes) (void) munmap(region->base, region->bytes);
        region->base = NULL;
        region->bytes = 0;
    }
    #endif
    """
    ctypedef struct Region "orebook_region":
        char* base
        size_t bytes
    int region_reserve(Region* region, size_t bytes)
    void region_release(Region* region)
