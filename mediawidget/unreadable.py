"""What a tokenizer and its model cannot read, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import MediationError, require
from .prompts import KeptRoles, PromptPair
from .strands import Answer


def refuse_no_tokenizer(tokenizer: Any, module: object) -> None:
    """Raise where a language model comes without one."""
    if tokenizer is None:
        raise MediationError(
            "A language model comes with its tokenizer, any other network with its points.",
            value=f"a {type(module).__name__}, tokenizer=None, points=None",
            expected="the tokenizer the model was trained with, or the modules to mediate",
            fix="load(model, tokenizer=AutoTokenizer.from_pretrained(...)), or of a network "
            "that reads no text load(module, points={'first': 'conv1'})",
        )
    asked = ("decode", "unk_token_id", "bos_token_id", "all_special_ids")
    require(
        callable(tokenizer) and all(hasattr(tokenizer, name) for name in asked),
        "A model comes with its tokenizer.",
        value=tokenizer,
        expected=f"a tokenizer of transformers, which has {', '.join(asked)}",
        fix="load(model, tokenizer=AutoTokenizer.from_pretrained(...))",
    )


def refuse_inputs(pair: object) -> None:
    """Raise where a language model is asked about what is no pair of prompts."""
    require(
        isinstance(pair, PromptPair),
        "A language model is asked about prompts.",
        value=pair,
        expected="mw.PromptPair(clean='...', corrupt='...', answer='...', wrong='...')",
        fix="an input of numbers is for a network: mw.load(module, points={'first': 'conv1'})",
    )


def refuse_kept_roles(pair: PromptPair, clean: Sequence[int], corrupt: Sequence[int]) -> None:
    """Raise where a swap without a model left roles that are the other prompt's positions."""
    require(
        not isinstance(pair.roles, KeptRoles) or len(clean) == len(corrupt),
        "The pair was swapped before a model had read it, and its roles are positions of the other "
        "prompt.",
        value=f"{pair.roles!r}; clean {len(clean)} tokens, corrupt {len(corrupt)}",
        expected="roles of the clean prompt, where the prompts are of different token length",
        fix="pair.swapped(lm.encode([pair])[0].alignment) of the pair as it was, or study.swap(), "
        "which moves roles; or dataclasses.replace(pair, roles={'END': 14})",
    )


def refuse_two_starts(tokenizer: Any, ids: Sequence[int], plain: Sequence[int], text: str) -> None:
    """Raise where a prompt begins with the token that the tokenizer puts before it anyway.

    Args:
        tokenizer: of transformers.
        ids: of the prompt, as it reads it.
        plain: of the prompt, without special tokens.
        text: the prompt.
    """
    added = len(ids) > len(plain) and list(ids[1 : 1 + len(plain)]) == list(plain)
    twice = added and ids[0] == plain[0] and ids[0] in tokenizer.all_special_ids
    name = shown_token(tokenizer, ids[0]) if twice else ""
    require(
        not twice,
        f"The tokenizer puts {name!r} before every prompt, and this one begins with it too.",
        value=repr(text),
        expected=f"the text alone: the model would read {name!r} twice",
        fix=f"leave {name!r} out of the prompt; lm.tokens(text) shows it in its place",
    )


def refuse_unknown_words(tokenizer: Any, ids: Sequence[int], text: str) -> None:
    """Raise where a prompt has words that the vocabulary lacks."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown not in ids or unknown == tokenizer.bos_token_id:
        return
    known = [shown_token(tokenizer, i).strip() for i in ids if i != unknown]
    words = [word for word in text.split() if word.strip(".,:;!?") not in known]
    raise MediationError(
        "The prompt has a word that the model does not know.",
        value=", ".join(repr(word) for word in words) or repr(text),
        expected="words of the model's vocabulary",
        fix="choose another word; lm.tokenizer.get_vocab() holds those it knows",
    )


def refuse_end_of_its_own(tokenizer: Any, ids: Sequence[int], plain: Sequence[int]) -> None:
    """Raise where a tokenizer puts a special token behind a prompt, which the answer is to follow.

    Args:
        tokenizer: of transformers.
        ids: of the prompt, as it reads it.
        plain: of the prompt, without special tokens.
    """
    require(
        list(plain[-1:]) == list(ids[-1:]),
        "The tokenizer puts a token of its own behind the prompt, which the answer would follow.",
        value=[shown_token(tokenizer, i) for i in ids],
        expected="prompts that end with their own last token",
        fix="tokenizer.add_eos_token = False, or another post_processor",
    )


def refuse_no_embedding(tokenizer: Any, ids: Sequence[int], vocabulary: int) -> None:
    """Raise where a text has a token beyond the model's vocabulary."""
    beyond = [i for i in ids if i >= vocabulary]
    require(
        not beyond,
        "The tokenizer has tokens that the model has not.",
        value=", ".join(f"{shown_token(tokenizer, i)!r} ({i})" for i in beyond),
        expected=f"token ids below {vocabulary}, the model's vocabulary",
        fix="load the tokenizer that the model was trained with",
    )


def shown_token(tokenizer: Any, token_id: int) -> str:
    """One token as text."""
    return str(tokenizer.decode([token_id], clean_up_tokenization_spaces=False))


def no_decoder(pair: PromptPair) -> MediationError:
    """What to raise where a model without one is given a text for its decoder."""
    return MediationError(
        "This model reads one text, and has no decoder beside it.",
        value=f"decoder={pair.decoder!r}",
        expected="no decoder=, which is for models such as T5",
        fix="leave it out, or put it at the end of clean= and corrupt=",
    )


def unknown_answer(text: str, field: str) -> MediationError:
    """What to raise where an answer has no token."""
    return MediationError(
        "The tokenizer does not know this answer.",
        value=f"{field}={text!r}",
        expected="a token of the model's vocabulary",
        fix="choose a word the model knows; lm.tokens(text) shows how it reads one",
    )


def refuse_alike(pair: PromptPair, answer: Answer, wrong: Answer) -> None:
    """Refuse answers that differ as texts and not as tokens."""
    said = f"answer={pair.answer!r}, wrong={pair.wrong!r}"
    if answer.several or wrong.several:
        alike = answer.ids == wrong.ids
    else:
        alike = bool({*answer.ids} & {*wrong.ids})
    if alike:
        raise MediationError(
            "The tokenizer reads both answers alike.",
            value=said,
            expected="two different tokens",
            fix="choose another wrong answer",
        )
    for one in (answer, wrong):
        if not one.several and len({*one.ids}) < len(one.ids):
            raise MediationError(
                "The tokenizer reads two members of a set alike.",
                value=said,
                expected="different tokens in a set",
                fix="name each token once",
            )
