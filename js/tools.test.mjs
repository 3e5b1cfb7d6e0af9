// @vitest-environment node
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const biome = join(here, "node_modules", "@biomejs", "biome", "bin", "biome");

function lint(line) {
  const folder = mkdtempSync(join(tmpdir(), "lint-"));
  try {
    const file = join(folder, "example.ts");
    writeFileSync(file, `export function f(el: Element, label: string) {\n  ${line}\n}\n`);
    const args = [biome, "lint", `--config-path=${here}`, "--colors=off", file];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return { status, words: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.each([
  "el.innerHTML = label;",
  "el.innerHTML += label;",
  "el.outerHTML = label;",
  'el.insertAdjacentHTML("beforeend", label);',
  "document.write(label);",
])("the linter refuses HTML made from text: %s", (line) => {
  const { status, words } = lint(line);
  expect(words).toContain("Do not parse HTML");
  expect(status).toBe(1);
});

test("the linter accepts text", () => {
  const { status, words } = lint("el.textContent = label;");
  expect(words).toContain("Checked 1 file");
  expect(status).toBe(0);
});
