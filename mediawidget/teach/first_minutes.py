"""The first ten minutes: nine steps through one study, every number from the model at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import require
from ..study import Study, refuse_no_study
from ..widgets import Explorer
from .card import Card
from .first_findings import IDLE, Findings
from .lesson import Lesson
from .picking import Do, Pick, percent
from .questions import Choice, Number, Question, Text
from .shuffle import whose


def first_ten_minutes(study: Study, file: str | Path | None = None) -> Card:
    """A guided first look: read the total effect, restore, break, both, tokens, another question.

    Args:
        study: one pair in which a person's name is the answer and one word differs, as "When Mary
            and John went to the store, John (Mary) gave a book to".
        file: where the answers are written, as in ``Lesson``.

    Returns:
        A card with nine steps and an Explorer below it.

    Raises:
        MediationError: the study has several pairs, or its answer does not stand in its prompt.

    Example:
        >>> mw.teach.first_ten_minutes(mw.Study(mw.load(), pair))
    """
    refuse_no_study(study)
    pair = study.contrast.pairs[0]
    require(
        len(study.contrast) == 1 and pair.answer_text.strip() in pair.clean.split(),
        "The first ten minutes want one pair whose answer stands in the prompt.",
        value=study,
        expected="mw.Study(lm, mw.PromptPair(...)) with a name as its answer",
        fix="mw.PromptPair(clean='When Mary and John went to the store, John gave a book to', ...)",
    )
    lesson = Lesson("The first ten minutes", student=whose(study.lm), file=file)
    guide = _Guide(study)
    lesson.watch(study, "first pair")
    return lesson.tour(guide.steps(), Explorer(study))


class _Guide(Findings):
    """The steps."""

    def steps(self) -> list[Question]:
        return [
            self.total(),
            self.restore(),
            self.sum(),
            self.break_(),
            self.both(),
            self.click_both(),
            self.tokens(),
            self.hidden(),
            self.sentence(),
        ]

    # --- the steps -------------------------------------------------------------------------------

    def total(self) -> Number:
        return Number(
            id="total",
            prompt=(
                f"The model read two sentences that differ in one word. After the clean one it "
                f"says {self.answer}, after the corrupt one {self.wrong}.\n\n"
                f"The bar below the sentences measures how much it prefers {self.answer} to "
                f"{self.wrong}: the difference of their logits, which are its scores before they "
                f"become probabilities. Read both ends off the bar: how far apart are they?"
            ),
            hints=("The clean end minus the corrupt end; one of them is negative.",),
            answer=lambda: float(self.quiet.total["TE"]),
            unit="logits",
            within=0.5,
            after=lambda: (
                f"From {self.quiet.total['Y00']:+.1f} to {self.quiet.total['Y11']:+.1f}: this is "
                f"the total effect, what that one word is worth. Every percent from here on is a "
                f"share of it."
            ),
        )

    def restore(self) -> Pick:
        return Pick(
            id="restore",
            study=self.study,
            prompt=(
                f"Now the model reads the corrupt sentence, and one of its {self.n_heads} "
                f"attention heads gets the values that it had on the clean one. If that brings "
                f"the answer back, what this head carries is enough for it.\n\n"
                f"Nothing was run yet, so every cell is hatched. Which head brings back most of "
                f"{self.answer}'s lead? Pick one and commit: yours is run at once."
            ),
            hints=(
                "Nobody can know this beforehand. What matters is that you have a guess to lose.",
            ),
            after=self._restored,
        )

    def _restored(self) -> str:
        shares = self.shares("PIE")
        idle = int((np.abs(shares) < IDLE).sum())
        return (
            f"{idle} of {self.n_heads} heads move the answer by less than 5%, so most guesses "
            f"find nothing. {self.strongest('PIE')} alone restores {percent(shares.max())}.\n\n"
            f"The four numbers that came with your guess are the four corners of every question "
            f"here: clean or corrupt sentence, with the head's clean or corrupt value. Click any "
            f"cell below to see its corners."
        )

    def sum(self) -> Choice:
        return Choice(
            id="sum",
            misconception="shares",
            prompt=(
                f"Add up what all {self.n_heads} heads restore, each on its own. What do you get?"
            ),
            options=(
                "Clearly less than 100%: something else has the rest",
                "About 100%: each head has its share",
                "Clearly more than 100%",
            ),
            answer=self._sum_option,
            after=lambda: (
                f"{100 * self.shares('PIE').sum():.0f}%. These are no shares of a cake. Heads can "
                f"work as a relay: an early one finds something out and hands it on. Then whoever "
                f"runs a leg may bring the whole answer back, and every leg counts it again."
            ),
        )

    def _sum_option(self) -> int:
        total = float(self.shares("PIE").sum())
        return 0 if total < 0.8 else 2 if total > 1.2 else 1

    def break_(self) -> Choice:
        return Choice(
            id="break",
            misconception="mirror",
            prompt=(
                "Turn the question round: the model reads the clean sentence, and one head gets "
                "what it had on the corrupt one. Now we read how much is lost.\n\n"
                "Will the head that restores most also be the one that is missed most? Guess, then "
                "press Break above the heads (or the key 2)."
            ),
            options=("Yes, it is the same head", "No, it is another one"),
            answer=lambda: int(self.strongest("PIE") != self.strongest("TIE")),
            after=lambda: (
                f"{self.strongest('PIE')} restores most ({percent(self.shares('PIE').max())}), "
                f"{self.strongest('TIE')} is missed most ({percent(self.shares('TIE').max())} "
                f"of the total effect). Restore asks: is it enough, while all else is corrupt? "
                f"Break asks: is it needed, while all else is clean? One is not the other with "
                f"its sign turned round. The third button shows by how much they differ."
            ),
        )

    def both(self) -> Number:
        return Number(
            id="both",
            misconception="shares",
            prompt=lambda: (
                f"{self.two_words()} sit in the same layer, so neither can hand anything to the "
                f"other. Alone they restore {' and '.join(map(percent, self.two_shares()))}. How "
                f"much do they restore together?"
            ),
            hints=(
                "If what they do simply added up, it would be the sum.",
                "The corrupt sentence is only 100% away from the clean one.",
            ),
            answer=self.together,
            unit="%",
            within=15,
            after=lambda: (
                f"{self.together():.0f}%, while the two numbers sum to "
                f"{100 * np.sum(self.two_shares()):.0f}%. What one of them does depends on what "
                f"the other does: an interaction. No table of single heads can show it."
            ),
        )

    def click_both(self) -> Do:
        return Do(
            id="click-both",
            study=self.study,
            prompt=lambda: (
                f"See it yourself: click {self.two()[0].label()} in the grid below, then hold "
                f"Shift and click {self.two()[1].label()}. The line under the panels says "
                f"together, sum and gap."
            ),
            done=lambda study: (
                study.history.current is not None
                and set(study.history.current.sites) == set(self.two())
            ),
            after="That is one intervention on two heads, run a moment ago.",
        )

    def tokens(self) -> Choice:
        tokens = self.quiet.token_pairs[0]
        changed = tokens.clean_tokens[self.changed()].strip()
        return Choice(
            id="tokens",
            prompt=(
                "Heads aside: all that the model has computed at one word, before one layer, is "
                "that word's residual stream. The right panel restores it, a column per word and "
                "a row per layer.\n\n"
                "Before layer 0, it all hangs on the changed word. Before the last layer: which "
                "word's stream brings the answer back?"
            ),
            options=(
                f"Still the changed word ({changed})",
                f"The answer's own word ({self.answer})",
                f"The last word ({tokens.clean_tokens[-1].strip()})",
            ),
            answer=self.last_holder,
            after=self._moved,
        )

    def _moved(self) -> str:
        at_last = self.streams()[: self.study.lm.n_layers, -1]
        leaves = int(np.flatnonzero(at_last > 0.5)[0])
        return (
            f"The answer moves: up to layer {leaves - 1} it hangs on the changed word, from layer "
            f"{leaves} on the last one, where the model has to speak. Click the words in between "
            f"to see what they restore. Moving things from word to word is what attention heads do."
        )

    def hidden(self) -> Choice:
        return Choice(
            id="hidden",
            misconception="unused",
            prompt=self._other_question,
            options=("More than before", "About as much as before", "Next to nothing"),
            hints=("Which name comes twice in each sentence? Compare with the first pair.",),
            answer=self._restores_then,
            after=lambda: (
                f"{percent(self.lost()[2])}. The head did not stop working. Both sentences now "
                f"repeat the same name, it says the same on both, and patching one into the other "
                f"changes nothing. A patch shows what differs between your two sentences and "
                f"hides all that they share. What did your first question hide?"
            ),
        )

    def _other_question(self) -> str:
        site, before, _, other = self.lost()
        pair = other.contrast.pairs[0]
        return (
            f"{site.label()} restored {percent(before)}. Keep the clean sentence and ask another "
            f"question: the corrupt sentence is now \N{LEFT DOUBLE QUOTATION MARK}{pair.corrupt}"
            f"\N{RIGHT DOUBLE QUOTATION MARK}, and what is measured is how much the model prefers "
            f"{self.answer} to {pair.wrong_text.strip()}. How much of that total effect does "
            f"{site.label()} restore?"
        )

    def _restores_then(self) -> int:
        _, before, after, _ = self.lost()
        return 0 if after > before + IDLE else 2 if after < IDLE else 1

    def sentence(self) -> Text:
        return Text(
            id="sentence",
            prompt=lambda: (
                f"One sentence to keep: what may you say of {self.strongest('PIE')} now? Name the "
                f"question (which two sentences), the direction, and the number."
            ),
            least=40,
            after=lambda: (
                f"For example: \N{LEFT DOUBLE QUOTATION MARK}On this one pair, where "
                f"{self.answer} and {self.wrong} change places as the giver, restoring "
                f"{self.strongest('PIE')} alone brings back {percent(self.shares('PIE').max())} "
                f"of the total effect of {self.quiet.total['TE']:.1f} logits."
                f"\N{RIGHT DOUBLE QUOTATION MARK} One pair is an anecdote: go on below."
            ),
        )
