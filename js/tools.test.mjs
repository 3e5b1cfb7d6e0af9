// @vitest-environment node
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));

function lint(source) {
  const biome = `${here}/node_modules/@biomejs/biome/bin/biome`;
  const args = [biome, "lint", "--stdin-file-path=src/example.ts", "--error-on-warnings"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: here,
    input: source,
    encoding: "utf8",
  });
  return { status, words: stdout + stderr };
}

test.each([
  "el.innerHTML = label;",
  "el.innerHTML += label;",
  "use(el.outerHTML);",
  'el.insertAdjacentHTML("beforeend", label);',
  "document.write(label);",
])("the linter refuses HTML made from text: %s", (line) => {
  const { status, words } = lint(
    `export function f(el: Element, label: string, use: (s: string) => void) { use(label); ${line} }\n`,
  );
  expect(words).toContain("Do not parse HTML");
  expect(status).not.toBe(0);
});

test("the linter accepts text", () => {
  const { status } = lint(
    "export function f(el: Element, label: string) {\n  el.textContent = label;\n}\n",
  );
  expect(status).toBe(0);
});
