import mediawidget as mw

lm = mw.load()
pair = mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer="Mary",
    wrong="John",
)
