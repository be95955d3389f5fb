"""Makes an expression deterministic, as a program of its own: nothing else can stop the library.

    python engine/determine.py MOST < EXPRESSION

Writes, marshalled: the first state, the accepting ones, and from each state the state after each
byte. An expression may grow exponentially on that way, so `automaton.py`, which runs this, gives it
only so much time and it gives itself only so much memory. Exit codes: 0 done, 1 no automaton (the
library's reason is on standard error), 3 more than MOST states, or too much memory for them.
"""

from __future__ import annotations

import marshal
import sys
from contextlib import suppress

MEMORY = 4 << 30
"""Bytes."""
TOO_LARGE = 3


def bound_memory() -> None:
    try:
        import resource
    except ImportError:  # on Windows time alone bounds it
        return
    bounds = resource.getrlimit(resource.RLIMIT_AS)
    tightest = min((bound for bound in bounds if bound != resource.RLIM_INFINITY), default=MEMORY)
    with suppress(ValueError, OSError):  # macOS takes no such bound: time alone bounds it there too
        resource.setrlimit(resource.RLIMIT_AS, (min(MEMORY, tightest), bounds[1]))


def main() -> int:
    from outlines_core import Index, Vocabulary

    bound_memory()
    letters = Vocabulary(256, {bytes([byte]): [byte] for byte in range(256)})
    try:
        index = Index(sys.stdin.buffer.read().decode(), letters)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        return TOO_LARGE
    moves = index.get_transitions()
    if len(moves) > int(sys.argv[1]):
        return TOO_LARGE
    found = (index.get_initial_state(), set(index.get_final_states()), moves)
    marshal.dump(found, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
