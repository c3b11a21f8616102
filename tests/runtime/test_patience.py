import signal
import time

import pytest

from bench.errors import CannotMeasure
from bench.runtime.services.postgresql_databases import patience


def test_what_does_not_answer_is_told_by_name():
    with (
        pytest.raises(CannotMeasure, match="the oracle did not answer within"),
        patience(0.05, "the oracle"),
    ):
        time.sleep(30)


def test_what_answers_in_time_is_left_alone_and_nothing_rings_afterwards():
    with patience(0.05, "the oracle"):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    time.sleep(0.1)
