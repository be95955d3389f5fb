"""The loop over a scripted model: how many passes a policy takes, and what it does at each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from engine.candidate import ENDS, Candidate, Rules
from engine.canvas import Canvas
from engine.choose import Choice, Policy
from engine.denoise import Denoising
from engine.draw import without
from engine.engine import never
from engine.fake import CARD, ByteTokenizer
from engine.healing import Cut, Healing
from engine.model import Floats, Ids, Proposal
from engine.siblings import has_begun, held_apart
from engine.unmask import _contradicted_masked, divergence

END, MASK, SIZE = 0, 1, 7
TOKENS = np.arange(10, 10 + SIZE)


class Script:
    """Proposes TOKENS, the token at each place with a probability that may change with the pass."""

    def __init__(self, *probabilities: float, current: float = 0.95) -> None:
        self.probabilities = probabilities
        self.current = current
        self.canvases: list[Ids] = []

    def __call__(self, canvas: Ids, wanted: object) -> Proposal:
        best = self.probabilities[min(len(self.canvases), len(self.probabilities) - 1)]
        self.canvases.append(canvas)
        # Places differ a little, so that the most probable one is known.
        places = np.arange(len(canvas))
        chance = best - places * 1e-4
        log_probs = np.log(np.stack([chance, (1 - chance) / 2], axis=1)).astype(np.float32)
        ids = np.stack([TOKENS[places], TOKENS[places] + 100], axis=1)
        current = np.log(self.current - places * 1e-4)
        end: Floats = np.full(len(canvas), -20, np.float32)
        return Proposal(ids, log_probs, end, current.astype(np.float32))

    def committed(self) -> list[int]:
        """Tokens that stood on the canvas at each pass."""
        return [int((canvas != MASK).sum()) for canvas in self.canvases]


def denoised(script: Script, choice: Choice, steps: int | None = None, remask: float = 0) -> Canvas:
    candidate = Candidate(Canvas.masked(SIZE, MASK, END), (0, 0))
    healing = Healing(SimpleNamespace(pieces=[b"x"] * 300), 300)
    cut = healing.whole(np.array([4]))
    rules = Rules(choice, steps, temperature=0.0, newline=None, cut=cut, remask=remask)
    Denoising(script, rules, never).run([candidate])
    assert candidate.canvas.is_full
    assert candidate.passes == len(script.canvases)
    return candidate.canvas


def test_a_settled_distribution_is_one_that_moved_little_twice() -> None:
    """Not before the third pass, however sure the model is: KLASS's history is two steps."""
    script = Script(0.95)
    denoised(script, Choice(Policy.STABLE, threshold=0.9))
    assert script.committed() == [0, 1, 2]


def test_what_moves_starts_its_history_anew() -> None:
    script = Script(0.95, 0.5, 0.95)
    denoised(script, Choice(Policy.STABLE, threshold=0.9))
    assert script.committed() == [0, 1, 2, 3, 4], "the passes 2 and 3 moved, 4 and 5 did not"


@pytest.mark.parametrize(
    ("choice", "committed"),
    [
        # The first token alone, then all that was put forward, and the place after them.
        (Choice(Policy.SELF_CHECK, threshold=0.9), [0, SIZE]),
        (Choice(Policy.SELF_CHECK, threshold=0.96), list(range(SIZE))),
        (Choice(Policy.SELF_CHECK, threshold=0.9, window=3), [0, 3, 4, SIZE]),
        (Choice(Policy.THRESHOLD, threshold=0.9), [0]),
        (Choice(Policy.THRESHOLD, threshold=0.96), list(range(SIZE))),
        (Choice(Policy.TOP_K, top_k=3), [0, 3, 6]),
        (Choice(Policy.ONE), list(range(SIZE))),
        # About 0.23 nats at each place, of which two and the largest, which is not counted, fit.
        (Choice(Policy.ENTROPY, entropy=0.5), [0, 3, 6]),
    ],
)
def test_a_policy_takes_its_passes(choice: Choice, committed: list[int]) -> None:
    script = Script(0.95)
    canvas = denoised(script, choice)
    assert script.committed() == committed
    assert list(canvas.ids) == list(TOKENS)


def test_what_was_typed_is_not_opened_by_what_contradicts_it() -> None:
    """Of `print` the `p` was typed: it is spelled from the left, so it cannot come anew alone."""
    tokenizer = ByteTokenizer()
    cut = Healing(tokenizer, CARD.vocabulary).cut(np.array(tokenizer.encode("y = p")), start_id=0)
    ids = np.array([*tokenizer.encode("print"), *[CARD.mask_id] * 3])
    after = Canvas(ids, np.zeros(8, np.float32), CARD.mask_id, CARD.end_id)
    before = after.masked_at(np.arange(8) >= 2)
    doubtful = np.log(np.array([0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9], np.float32))
    proposal = Proposal(ids[:, None], doubtful[:, None], doubtful, doubtful)
    rules = Rules(Choice(Policy.ONE), None, temperature=0.0, newline=None, remask=0.5, cut=cut)
    left = _contradicted_masked(after, before, proposal, rules)
    assert np.flatnonzero(left.open).tolist() == [1, 5, 6, 7]


@pytest.mark.parametrize("remask", [0.0, 0.9])
def test_a_budget_of_steps_is_shared_out_evenly(remask: float) -> None:
    """What is masked again in the meantime is done in time too."""
    script = Script(0.2, current=0.1)
    denoised(script, Choice(Policy.THRESHOLD, threshold=0.9), steps=3, remask=remask)
    assert len(script.canvases) == 3
    if not remask:
        assert script.committed() == [0, 3, 5]


def test_what_is_contradicted_is_masked_again_but_every_step_gains() -> None:
    """Everything is doubted at every pass: three are committed a step, and two of the old ones,
    the least probable, opened."""
    script = Script(0.95, current=0.1)
    denoised(script, Choice(Policy.TOP_K, top_k=3), remask=0.5)
    assert script.committed()[:3] == [0, 3, 4]
    assert list(np.flatnonzero(script.canvases[1] != MASK)) == [0, 1, 2]
    assert list(np.flatnonzero(script.canvases[2] != MASK)) == [0, 3, 4, 5]
    assert len(script.canvases) <= SIZE


def test_a_token_that_is_still_likely_stays() -> None:
    script = Script(0.95, current=0.6)
    denoised(script, Choice(Policy.TOP_K, top_k=3), remask=0.5)
    assert script.committed() == [0, 3, 6]


def test_one_token_a_step_leaves_no_room_to_go_back() -> None:
    script = Script(0.95, current=0.1)
    denoised(script, Choice(Policy.ONE), remask=0.5)
    assert script.committed() == list(range(SIZE))


def test_the_reference_does_not_end_where_an_end_is_hardly_likely() -> None:
    class Ending(Script):
        def __call__(self, canvas: Ids, wanted: object) -> Proposal:
            proposal = super().__call__(canvas, wanted)
            return replace(proposal, end_log_prob=np.log(np.full(SIZE, 0.1, np.float32)))

    assert denoised(Ending(0.6), Choice(Policy.ONE)).length == SIZE


# Candidates that differ where text is first added

PIECES = [b"", b"", b"wi", b"th", b"x", b"out", b"with"]
CUT = Cut(np.array([4]), np.array([2, 3]), Healing(SimpleNamespace(pieces=PIECES), len(PIECES)))
CHECKED = Rules(Choice(), None, 0.0, None, cut=CUT, drafter=True)


def row(*tokens: int) -> Proposal:
    """The same tokens proposed everywhere, the most probable first."""
    ids = np.tile(np.array(tokens), (SIZE, 1))
    chances = np.log(np.linspace(0.5, 0.1, len(tokens), dtype=np.float32))
    nothing = np.full(SIZE, -9, np.float32)
    return Proposal(ids, np.tile(chances, (SIZE, 1)), nothing, nothing)


def begun(*tokens: int) -> Candidate:
    ids = np.array([*tokens, *[MASK] * (SIZE - len(tokens))])
    return Candidate(Canvas(ids, np.zeros(SIZE, np.float32), MASK, END), (0, 0), passes=1)


def test_a_candidate_that_only_spells_what_was_typed_has_not_begun() -> None:
    assert not has_begun(begun(2, 3), CHECKED)
    assert held_apart(begun(2, 3), row(4, 5), 2, CHECKED) == [], "a row after a draft it refused"
    assert has_begun(begun(2, 3, 5), CHECKED)
    assert has_begun(begun(6, 4), CHECKED)
    assert has_begun(begun(2, 3), replace(CHECKED, least_log_prob=1.0)), "it is given up"


def test_others_take_the_most_probable_tokens_that_the_first_did_not() -> None:
    def firsts(first: Candidate) -> list[int]:
        others = held_apart(first, row(4, 5, 6, END), 2, CHECKED)
        return [other.canvas.tokens[2] for other in others]

    assert firsts(begun(2, 3, 4)) == [5, 6]
    assert firsts(begun(2, 3, 5)) == [4, 6]
    assert firsts(begun(2, 3, *[END] * (SIZE - 2))) == [4, 5]


def test_what_is_banned_has_no_chance_unless_nothing_else_is_known() -> None:
    banned = np.full((2, SIZE), -2)
    banned[0, 0], banned[:, 1], banned[0, 2] = 4, (4, 5), ENDS
    left = np.isfinite(without(row(4, 5), banned, END, CHECKED).log_probs)
    assert left[:3].tolist() == [[False, True], [True, True], [True, True]]
    ends = np.isfinite(without(row(END), banned, END, CHECKED).end_log_prob)
    assert ends[2], "all that is proposed there ends the text"


def test_divergence_is_that_of_now_from_before() -> None:
    def proposal(*chances: float) -> Proposal:
        log_probs = np.log(np.array([chances], np.float32))
        nothing = np.zeros(1, np.float32)
        return Proposal(np.array([[5, 6]]), log_probs, nothing, nothing)

    before, now = proposal(0.5, 0.5), proposal(0.9, 0.1)
    exact = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    assert divergence(before, now) == pytest.approx([exact], abs=1e-5)
    assert divergence(None, now) == np.inf
