// What the rules of the style sheet come to, where one could take back what another says.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const sheet = document.createElement("style");
sheet.textContent = readFileSync(join(here, "src", "styles.css"), "utf8");
document.head.append(sheet);

function styled(name, classes) {
  const el = document.createElement(name);
  el.className = classes;
  document.body.append(el);
  return getComputedStyle(el);
}

test("answers stand at the left, and wrap where there is no room", () => {
  expect(styled("span", "mw-pair").justifyItems).toBe("center");
  expect(styled("span", "mw-pair mw-answers").justifyItems).toBe("start");
  expect(styled("span", "mw-answer").whiteSpace).not.toBe("nowrap");
});

test("what is only heard has no margin that would put it below the view", () => {
  expect(styled("p", "mw-hidden").marginTop).toBe("0px");
});
