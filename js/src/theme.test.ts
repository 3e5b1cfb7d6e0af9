// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { followTheme, onPalette, palette, setPalette } from "./theme.ts";

vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => {} }));

afterEach(() => {
  document.body.replaceChildren();
  delete document.body.dataset.mwPalette;
});

test("the palette is the page's: every view follows it, also one that comes later", () => {
  const end = new AbortController();
  const root = () => document.body.appendChild(document.createElement("div"));
  const [one, other, late] = [root(), root(), root()];
  followTheme(one, end.signal);
  followTheme(other, end.signal);
  expect(one.dataset.palette).toBe("rdbu");
  setPalette("puor");
  expect([one.dataset.palette, other.dataset.palette]).toEqual(["puor", "puor"]);
  followTheme(late, end.signal);
  expect(late.dataset.palette).toBe("puor");
  end.abort();
});

test("the page behind a shadow root is seen", () => {
  const end = new AbortController();
  const host = document.body.appendChild(document.createElement("div"));
  host.style.background = "rgb(17, 17, 17)";
  const el = document.createElement("div");
  el.append(document.createElement("div"));
  host.attachShadow({ mode: "open" }).append(el);
  const root = el.firstChild as HTMLElement;
  followTheme(root, end.signal);
  end.abort();
  expect(root.dataset.theme).toBe("dark");
});

test("who left is told no more", () => {
  const end = new AbortController();
  const told = vi.fn();
  onPalette(told, end.signal);
  setPalette("puor");
  end.abort();
  setPalette("rdbu");
  expect(told).toHaveBeenCalledTimes(1);
  expect(palette()).toBe("rdbu");
});
