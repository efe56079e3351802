"""Settings for all tests: seeded, and without deadlines, since kernels compile on their first call."""

import signal

from hypothesis import settings

settings.register_profile("rsprep", deadline=None, derandomize=True)
settings.load_profile("rsprep")

# A shell that runs the tests in the background has interrupts ignored, and children inherit that; what is
# handled here is not inherited as ignored, so that commands under test meet Ctrl-C as on a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
