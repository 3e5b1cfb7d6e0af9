// Draws the views of a page that stands alone (widgets/exports/page.py): their scripts, which stand
// before this one, have handed over what they export.
import { decoded, OfflineModel, OfflineStudy, type PageData } from "./offline.ts";

type Definition = {
  initialize?(props: { model: OfflineModel }): unknown;
  render(props: { model: OfflineModel; el: HTMLElement }): unknown;
};
type Module = Definition | (() => Definition | Promise<Definition>);

const modules = (globalThis as { mediawidgetViews?: Module[] }).mediawidgetViews ?? [];
const text = document.getElementById("data")?.textContent ?? "";
const page = decoded(JSON.parse(text)) as PageData;
const studies = page.histories.map((history) => new OfflineStudy(history));

page.views.forEach(async ({ module, study, open, state, known }, place) => {
  const el = document.getElementById(`view-${place}`);
  const given = modules[module];
  if (!el || !given) return;
  const model =
    (study === null ? undefined : studies[study]?.add(place, state, open, known)) ??
    new OfflineModel(state, () => false);
  const view = typeof given === "function" ? await given() : given;
  await view.initialize?.({ model });
  await view.render({ model, el });
});
