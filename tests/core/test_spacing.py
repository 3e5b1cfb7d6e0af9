"""Answers stand behind their prompts as people would write them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import mediawidget as mw
from mediawidget.drafts import Draft, as_typed, read_draft
from mediawidget.spacing import as_read, follows_directly
from tests.asking import raised

CORPUS = [
    "The war lasted from the year 17 to the year 17 . He said Mary and f John a45 a33 a02 a32",
    "1+1= 2 2+2= 4 , 2 + 2 and 12 14 17 32 33 45 02 33 45 17 Mary John Mary aMary aJohn",
] * 40


@cache
def byte_level(end: str = "") -> Any:
    """A tokenizer of GPT-2's kind, whose words carry the space before them."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, initial_alphabet=alphabet, special_tokens=["<end>"], show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    if end:
        made.post_processor = processors.TemplateProcessing(
            single=f"$A {end}", special_tokens=[(end, made.token_to_id(end))]
        )
    wrapped: Any = PreTrainedTokenizerFast
    return wrapped(tokenizer_object=made, eos_token="<end>")


def model(end: str = "", vocabulary: int | None = None) -> mw.LM:
    tokenizer = byte_level(end)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary or len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=0.4,
    )
    module: Any = LlamaForCausalLM(config)
    return mw.load(module.double(), tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("prompt", "answer", "directly"),
    [
        ("John gave a book to", "Mary", False),
        ("John gave a book to ", "Mary", True),
        ("John gave a book to\n", "Mary", True),
        ("John gave a book to", " Mary", False),
        ("", "Mary", False),
        ("The war is over", ".", True),
        ("He did", "n't", False),
        ("John", "'s", True),
        ("John", "'so it goes'", False),
        ("1+1=", "2", True),
        ("1 + 1 =", "2", False),
        ("1+1=", " 2", False),
        ("print(", "x", True),
        ("print (", "x", True),
        ("it costs $", "5", True),
        ("twenty-", "one", True),
        ("A -", "B", False),
        ('He said "', "Mary", True),
        ('He said "Mary"', "and", False),
        ("from 1732 to 17", "45", True),
        ("from 1732 to 17", "years", False),
        ("from 17 32 to 17", "45", False),
        ("in 1917 32 17", "45", False),
        ("Q: who? A:", "Mary", False),
        # Arrows and comparisons stand between spaces, whatever they stand behind.
        ("hot -> cold, big ->", "small", False),
        ("hot => cold, big =>", "small", False),
        ("if x ==", "1", False),
        ("f(x)==", "1", False),
        ("He said --", "Mary", False),
        ("a ||", "b", False),
        ("<|assistant|>", "Mary", True),
        ("I write in C#", "and", False),
        ("He paid 5$", "for", False),
        ("My name is ____", "Mary", False),
        ("2, 22, 2", "3", False),
        ("10, 100, 10", "100", False),
        ("from 1732 to 17", "4", False),
        ('He said "Mary', '"', True),
        ("He said", '"', False),
        ("\u6cd5\u56fd\u7684\u9996\u90fd\u662f", "\u5df4\u9ece", True),
        ("\u6cd5\u56fd\u7684\u9996\u90fd\u662f", "Paris", False),
    ],
)
def test_a_space_is_where_people_write_one(prompt: str, answer: str, directly: bool) -> None:
    assert follows_directly(prompt, answer) == directly


@pytest.mark.parametrize(
    ("prompt", "other", "answer", "wrong"),
    [
        ("1+1=", "2+2=", "2", "4"),
        ("from 1732 to the year 17", "from 1702 to the year 17", "45", "02"),
        ("The war lasted from the year", "The war lasted to the year", ".", ","),
        ("He said and said f(", "He said and John f(", "Mary", "John"),
    ],
)
def test_answers_are_the_tokens_that_go_on(
    prompt: str, other: str, answer: str, wrong: str
) -> None:
    lm = model()
    study = mw.Study(lm, mw.PromptPair(prompt, other, answer=answer, wrong=wrong))
    ids = lm.tokenizer(prompt)["input_ids"]
    there = [lm.tokenizer(prompt + text)["input_ids"] for text in (answer, wrong)]
    assert all(found[:-1] == ids for found in there), "one token more"
    with torch.no_grad():
        logits = lm.hf(torch.tensor([ids])).logits[0, -1]
    y11 = float(logits[there[0][-1]] - logits[there[1][-1]])
    assert study.total["Y11"] == pytest.approx(y11, abs=1e-12)
    spaced = mw.PromptPair(prompt, other, answer=" " + answer, wrong=" " + wrong)
    assert mw.Study(lm, spaced).total["Y11"] != pytest.approx(y11, abs=1e-3)


@pytest.mark.parametrize(
    ("prompt", "answer", "read"),
    [
        ("He said", "Mary", " Mary"),
        ("He said", " Mary", " Mary"),
        ("He said", "\nMary", "\nMary"),
        ("f(", "Mary", "Mary"),
        ("f(", " Mary", " Mary"),
    ],
)
def test_white_space_of_its_own_is_all_that_an_answer_has(
    prompt: str, answer: str, read: str
) -> None:
    assert as_read(prompt, answer) == read
    lm = model()
    ids = lm.encoder.answers((answer,), "answer", prompt).ids
    assert lm.tokenizer.decode(list(ids)) == read


def test_an_arrows_space_makes_no_difference() -> None:
    prompts, lm = ("John a45 ->", "John a33 ->"), model()
    bare, spaced = (
        mw.Study(lm, mw.PromptPair(*prompts, answer=f"{own}Mary", wrong=f"{own}John"))
        for own in ("", " ")
    )
    assert bare.total["Y11"] == spaced.total["Y11"]


SUM = mw.PromptPair("1+1=", "2+2=", answer="2", wrong="4")


def test_answers_that_a_space_tells_apart_are_two() -> None:
    pair = mw.PromptPair("1+1=", "2+2=", answer="2", wrong=" 2")
    assert mw.Study(model(), pair).total["Y11"] != 0
    assert mw.PromptPair("1+1=", "2+2=", answer=["2", " 2"], wrong="4").answers == ("2", " 2")
    raised(lambda: mw.PromptPair("1 + 1 =", "2 + 2 =", answer="2", wrong=" 2"))
    raised(lambda: mw.PromptPair("1 + 1 =", "2 + 2 =", answer=["2", " 2"], wrong="4"))


def test_tokens_of_a_metric_are_those_of_the_answers() -> None:
    lm = model()
    metric = mw.Function(lambda kept: kept["logit:2"] - kept["logit:4"], tokens=["2", "4"])
    own = mw.Study(lm, SUM, metric=metric).total["Y11"]
    assert own == pytest.approx(mw.Study(lm, SUM).total["Y11"], abs=1e-12)
    spaced = mw.PromptPair("1+1=", "2+2=", answer=" 2", wrong=" 4")
    assert own != pytest.approx(mw.Study(lm, spaced).total["Y11"], abs=1e-3)
    words = mw.PromptPair("He said", "He said and", answer="Mary", wrong="John")
    error = raised(lambda: mw.Study(lm, [SUM, words], metric=metric).total)
    assert "another token behind some prompts" in error.message
    assert "'2' behind '1+1='" in str(error.value)


def test_an_answer_goes_on_from_where_it_is_read() -> None:
    lm = model()
    pair = mw.PromptPair("He said Mary and f(", "He said John and f(", answer="Mary", wrong="John")

    def answers(readout: mw.Readout) -> list[str]:
        read = mw.Study(lm, pair, readout=readout).token_pairs[0].answers
        return [lm.tokenizer.decode(list(ids)) for ids in read]

    ids = lm.tokenizer(pair.clean)["input_ids"]
    middle = next(i for i in range(len(ids)) if lm.tokenizer.decode(ids[: i + 1]).endswith("and"))
    assert answers(mw.Readout(position=middle)) == [" Mary", " John"]
    assert answers(mw.Readout()) == answers(mw.Readout(position=-1)) == ["Mary", "John"]


@pytest.mark.parametrize(
    "pair",
    [
        SUM,
        mw.PromptPair("1+1=", "2+2=", answer=" 2", wrong=" 4"),
        mw.PromptPair("1+1=", "2+2=", answer=[" 2", "2"], wrong=["4", " 4"]),
        mw.PromptPair("He said", "He and", answer=["Mary", " and"], wrong="John"),
    ],
)
def test_the_editor_keeps_a_space_that_counts(pair: mw.PromptPair) -> None:
    lm = model()
    read = read_draft(lm, Draft.of(pair), before=pair).pair
    assert read is not None
    assert (read.answers, read.wrongs) == (pair.answers, pair.wrongs)


def test_a_prediction_is_typed_as_people_write_it() -> None:
    assert as_typed("He said", " Mary") == as_typed("f(", "Mary") == "Mary"
    assert as_typed("f(", " Mary") == " Mary"
    assert as_typed("He said", "\n") == "\n"


def test_a_table_keeps_a_space_that_counts(tmp_path: Path) -> None:
    file = tmp_path / "sums.csv"
    file.write_text('clean,corrupt,answer,wrong\n1+1=,2+2=,2|two |  2, "  4"\n')
    (pair,) = mw.tasks.from_csv(file)
    assert pair.answers == ("2", "two", " 2")


def test_sets_and_several_tokens_go_on_too() -> None:
    lm = model()
    prompts = "from 1732 to the year 17", "from 1702 to the year 17"
    together = lm.encoder.pair(
        mw.PromptPair(*prompts, answer=["45", "33"], wrong="02"), single=False
    )
    assert [lm.tokenizer.decode([i]) for i in together.answers[0]] == ["45", "33"]
    after = lm.encoder.pair(
        mw.PromptPair(*prompts, answer="45 Mary", wrong="02 Mary"), single=False
    )
    assert lm.tokenizer.decode(list(after.answers[0])) == "45 Mary"
    with pytest.raises(mw.MediationError, match="several tokens"):
        lm.encoder.pair(mw.PromptPair(*prompts, answer="45 Mary", wrong="02"))


def test_a_tokenizer_that_ends_prompts_by_itself_is_refused() -> None:
    """The answer would follow its end, of which the model says nothing of the prompt's."""
    pair = mw.PromptPair("Mary and John", "John and John", answer="Mary", wrong="John")
    assert mw.Study(model(), pair).total["TE"] != 0
    error = raised(lambda: mw.Study(model(end="<end>"), pair))
    assert "puts a token of its own behind the prompt" in error.message
    assert "add_eos_token = False" in error.fix
    # What a user wrote is the user's.
    written = mw.PromptPair("Mary and<end>", "John and<end>", answer="Mary", wrong="John")
    assert mw.Study(model(), written).total["TE"] != 0


@pytest.mark.parametrize("field", ["clean", "answer"])
def test_tokens_that_the_model_has_not_are_refused(field: str) -> None:
    tokenizer = byte_level()
    last = tokenizer.decode([len(tokenizer) - 1])
    lm = model(vocabulary=len(tokenizer) - 1)
    given = {"clean": "Mary and", "corrupt": "John and", "answer": " Mary", "wrong": " John"}
    error = raised(lambda: mw.Study(lm, mw.PromptPair(**(given | {field: last}))))
    assert error.message == "The tokenizer has tokens that the model has not."
    assert str(len(tokenizer) - 1) in str(error.value)


def test_what_is_no_tokenizer_of_transformers_is_refused() -> None:
    class Words:
        def __call__(self, text: str) -> dict[str, list[int]]:
            return {"input_ids": [len(word) for word in text.split()]}

        def decode(self, ids: list[int]) -> str:
            return " ".join(map(str, ids))

    error = raised(lambda: mw.load(model().hf, tokenizer=Words()))
    assert "unk_token_id" in error.expected
