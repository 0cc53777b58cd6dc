"""The last batch of each source: what is known of it, kept and checked."""

import pytest

from pool.share_sources import BATCH_MAX, SOURCE_MAX, ShareSources


def taken(*batches: tuple[int, int]) -> ShareSources:
    sources = ShareSources()
    for source, batch in batches:
        sources.take(source, batch)
    return sources


def test_the_last_batch_of_a_source_is_known():
    sources = taken((1, 1), (SOURCE_MAX, BATCH_MAX), (1, 9))
    assert [sources.last(source) for source in (1, 2, SOURCE_MAX)] == [9, 0, BATCH_MAX]
    assert (len(sources), sources.check()) == (2, [])


def test_the_state_does_not_tell_in_which_order_they_came():
    sources, again = taken((2, 3), (1, 4), (1, 5)), taken((1, 5), (2, 1), (2, 3))
    assert (sources.digest(), sources.dump()) == (again.digest(), again.dump())
    loaded = ShareSources.load(sources.dump())
    assert (loaded.digest(), loaded.dump(), loaded.check()) == (
        sources.digest(), sources.dump(), [])
    assert taken((1, 3), (2, 5)).digest() != sources.digest() != taken((1, 5)).digest()


def test_a_source_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match="2 batches of 1 sources"):
        ShareSources.load([[1, 1], [1, 2]])


@pytest.mark.parametrize("entry, fault", [
    ({0: 1}, "source 0"), ({SOURCE_MAX + 1: 1}, "source 65536"), ({3: 0}, "batch 0"),
    ({3: BATCH_MAX + 1}, "is at batch"), ({3: 1}, "running hash")])
def test_check_names_what_is_wrong(entry, fault):
    sources = taken((1, 1))
    sources._last |= entry
    assert fault in "".join(sources.check())
