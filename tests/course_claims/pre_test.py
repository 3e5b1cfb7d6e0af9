assert lesson.credit == 0 and not lesson.feedback
assert set(lesson.questions) == set(mw.teach.MISCONCEPTIONS)
assert all(name == asked.misconception for name, asked in lesson.questions.items())
keys = {name: asked.verdict(0).facts["option"] for name, asked in lesson.questions.items()}
assert keys == {
    "mirror": 2,
    "both": 3,
    "unused": 1,
    "shares": 2,
    "attention": 3,
    "bug": 1,
    "probability": 0,
    "window": 3,
    "zero": 2,
    "iia": 3,
    "one-prompt": 2,
}, keys
