"""The table of reasons covers every result code."""

from api.errors import MEANINGS, Fault, words
from engine import Result


def test_every_result_has_a_meaning_and_nothing_else():
    assert set(MEANINGS) == set(Result)


def test_only_ok_is_nobodys_fault():
    for result, meaning in MEANINGS.items():
        assert (meaning.fault is Fault.NONE) == (result == Result.OK)
        assert bool(meaning.words) == (result != Result.OK)


def test_a_plain_number_finds_its_words():
    assert words(int(Result.NOT_ENOUGH_MONEY)) == MEANINGS[Result.NOT_ENOUGH_MONEY].words
