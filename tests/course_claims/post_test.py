assert lesson.credit == 0 and not lesson.feedback
ideas = {name: asked for name, asked in lesson.questions.items() if asked.KIND == "choice"}
assert set(ideas) == set(mw.teach.MISCONCEPTIONS)
assert all(name == asked.misconception for name, asked in ideas.items())
keys = {name: asked.verdict(0).facts["option"] for name, asked in ideas.items()}
assert keys == {
    "mirror": 1,
    "both": 1,
    "unused": 0,
    "shares": 3,
    "attention": 2,
    "bug": 3,
    "probability": 1,
    "window": 1,
    "zero": 2,
    "iia": 0,
    "one-prompt": 1,
}, keys
