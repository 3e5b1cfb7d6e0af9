import { afterEach, describe, expect, it, vi } from "vitest";
import { exportMenu } from "./export.ts";
import { FakeModel } from "./fake.ts";
import { Store } from "./store.ts";
import { setPalette } from "./theme.ts";

afterEach(() => {
  document.body.replaceChildren();
  vi.restoreAllMocks();
});

function menu() {
  const model = new FakeModel();
  const store = new Store(model);
  const el = exportMenu(store, new AbortController().signal);
  document.body.append(el);
  const opener = el.querySelector("button") as HTMLButtonElement;
  const items = [...el.querySelectorAll<HTMLButtonElement>("[role=menuitem]")];
  return { model, store, el, opener, items };
}

const press = (key: string) =>
  document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

describe("the export menu", () => {
  it("opens, moves with arrows and closes with Escape", () => {
    const { el, opener, items } = menu();
    const list = el.querySelector("[role=menu]") as HTMLElement;
    expect(list.hidden).toBe(true);
    opener.click();
    expect(opener.getAttribute("aria-expanded")).toBe("true");
    expect(document.activeElement).toBe(items[0]);
    press("ArrowUp");
    expect(document.activeElement).toBe(items.at(-1));
    press("Escape");
    expect(list.hidden).toBe(true);
    expect(document.activeElement).toBe(opener);
  });

  it("asks for the form in the page's unit and palette, and saves what comes", async () => {
    const { model, el, opener, items } = menu();
    const saved: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
      this: HTMLAnchorElement,
    ) {
      saved.push(this.download);
    });
    URL.createObjectURL = () => "blob:x";
    URL.revokeObjectURL = () => {};
    setPalette("puor");
    opener.click();
    items[2]?.click();
    expect(model.last).toMatchObject({ action: "export", format: "csv", palette: "puor" });
    const data = { name: "a.csv", type: "text/csv", text: "x" };
    model.message({ kind: "reply", id: model.last.id, ok: true, data });
    await vi.waitFor(() => expect(saved).toEqual(["a.csv"]));
    expect(el.querySelector("[role=status]")?.textContent).toBe("Saved a.csv");
  });

  it("keeps letters to itself while it is open", () => {
    const { el, opener } = menu();
    const keys: string[] = [];
    document.body.addEventListener("keydown", ({ key }) => keys.push(key));
    opener.focus();
    press("s");
    opener.click();
    press("s");
    press("Tab");
    el.remove();
    expect(keys).toEqual(["s"]);
  });

  it("says where a picture could not be painted", async () => {
    const { model, el, opener, items } = menu();
    URL.createObjectURL = () => "blob:x";
    URL.revokeObjectURL = () => {};
    vi.stubGlobal(
      "Image",
      class {
        decode = () => Promise.reject(new Error("no picture"));
      },
    );
    const said = el.querySelector("[role=status]");
    opener.click();
    items[0]?.click();
    const data = { name: "a.svg", type: "image/svg+xml", text: "x" };
    model.message({ kind: "reply", id: model.last.id, ok: true, data });
    await vi.waitFor(() => expect(said?.textContent).toContain("no picture"));
    expect(said?.className).toBe("mw-said");
    vi.unstubAllGlobals();
    opener.click();
    items[2]?.click();
    expect(said?.textContent).toBe("");
  });

  it("paints a PNG from the SVG", () => {
    const { model, opener, items } = menu();
    opener.click();
    items[0]?.click();
    expect(model.last).toMatchObject({ action: "export", format: "svg" });
  });
});
