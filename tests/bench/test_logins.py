"""The measurement of logins, with few of them: what it counts, not how long it takes."""

import pytest

from bench import logins


@pytest.mark.slow
def test_the_crowd_is_answered():
    found = logins.run(single=1, crowd=6)
    assert found["crowd_answered_200"] == 6
    assert {"login_right_ms", "login_wrong_ms", "login_nobody_ms"} <= set(found)
    assert found["loop_held_max_ms"] > 0
