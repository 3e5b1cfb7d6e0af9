import { expect, test } from "vitest";
import { decodeView } from "./decode.ts";
import { payload } from "./fake.ts";
import { GAP, sizes } from "./layout.ts";

/** A view of a model of these sizes; only shapes matter here. */
function view(layers: number, heads: number, tokens: number) {
  const [panel] = payload().panels as Record<string, unknown>[];
  const make = (key: string, rows: number, cols: number) => ({
    ...panel,
    key,
    shape: [rows, cols],
    y01: new Float32Array(rows * cols),
    y10: new Float32Array(rows * cols),
    status: new Uint8Array(rows * cols),
    labels: Array(rows * cols).fill("L0"),
  });
  const panels = [
    make("head", layers, heads),
    make("mlp_out", layers, 1),
    make("tokens", layers + 1, tokens),
  ];
  return decodeView(payload({ panels }));
}

test.each([704, 768, 836, 900])("six layers and 15 tokens fit %i px, numbers inside", (width) => {
  const size = sizes(view(6, 4, 15), width);
  const used = 22 + 4 * (size.head + GAP) + 12 + 38 + 12 + 22 + 15 * (size.token + GAP);
  expect(used).toBeLessThanOrEqual(width - 26);
  expect(size).toMatchObject({ narrow: false, head: 36 });
  expect(size.token).toBeGreaterThanOrEqual(25);
});

test.each([416, 480])("at %i px tokens go down the page and layers fit across", (width) => {
  const size = sizes(view(6, 4, 15), width);
  expect(size.narrow).toBe(true);
  expect(162 + 7 * (size.token + GAP)).toBeLessThanOrEqual(width - 26);
});

test("cells shrink for larger models, to 12 px and no further", () => {
  expect(sizes(view(12, 12, 15), 768)).toMatchObject({ head: 24, token: 19 });
  expect(sizes(view(32, 32, 40), 768)).toMatchObject({ head: 12, token: 12 });
});
