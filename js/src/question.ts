// A question's card: predict, commit, then see what the model says. Without a card, the progress.
import "./styles.css";
import "./question.css";
import { h } from "./dom.ts";
import type { Model } from "./protocol.ts";
import { QuestionCard } from "./question_card.ts";
import { type Go, heading } from "./question_head.ts";
import type { Draft } from "./question_inputs.ts";
import { QuestionLine } from "./question_line.ts";
import { progress } from "./question_progress.ts";
import { lines } from "./question_state.ts";
import { followWidth, shell } from "./shell.ts";

/** What was typed into a widget's questions: a view that is drawn again goes on with it. */
const typed = new WeakMap<Model, Map<string, Draft>>();

function draftsOf(model: Model): Map<string, Draft> {
  const known = typed.get(model) ?? new Map<string, Draft>();
  typed.set(model, known);
  return known;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const end = new AbortController();
  const drafts = draftsOf(model);
  const line = new QuestionLine(model, () => draw(), end.signal);
  const go: Go = (to) => line.send("go", "", to, { to });
  const top = heading(go);
  const body = h("div");
  const notice = h("p", { class: "mw-qnotice", hidden: true });
  // Heard, not seen: what changed stands in the card.
  const status = h("p", { class: "mw-hidden", role: "status" });
  const list = progress();
  let card: QuestionCard | null = null;
  let room = 0;

  const draw = () => {
    const { lesson } = line;
    top.update(lesson, line);
    if (!lesson.card) {
      card = null;
      list.update(lesson);
      body.replaceChildren(list.el);
    } else {
      if (card?.id !== lesson.card.id) {
        const draft = drafts.get(lesson.card.id) ?? { value: undefined };
        drafts.set(lesson.card.id, draft);
        card = new QuestionCard(lesson.card, line, draft, status);
        body.replaceChildren(card.el);
        if (room) card.resize(room);
      }
      card.update(lesson);
    }
    const said = lines(lesson.notice);
    notice.hidden = !said;
    if (notice.textContent !== said) notice.textContent = said;
  };
  draw();
  const root = shell(
    line.lesson.card ? "Question" : "Progress",
    model,
    el,
    end.signal,
    top.el,
    body,
    notice,
    status,
  );
  followWidth(root, end.signal, (width) => {
    room = width;
    card?.resize(width);
  });
  return () => end.abort();
}

export default { render };
