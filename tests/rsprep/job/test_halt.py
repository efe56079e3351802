from __future__ import annotations

import signal
import threading

import pytest

from rsprep.job.halt import heeding_interrupts


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_falls_into_a_destructor_is_not_lost() -> None:
    class Leaving:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with heeding_interrupts() as check:
        check()
        leaving = Leaving()
        del leaving  # Python prints the interrupt and goes on
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_is_raised_at_once_elsewhere() -> None:
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        signal.raise_signal(signal.SIGINT)


def test_a_thread_that_is_not_the_first_has_no_say() -> None:
    seen = []

    def work() -> None:
        with heeding_interrupts() as check:
            check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
