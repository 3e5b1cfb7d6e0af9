// Bundles each widget's front end into one ES module: src/<stem>.ts -> mediawidget/static/<stem>.js
// (and <stem>.css where the widget imports a style sheet). `node build.mjs --watch` rebuilds on
// change, for use with ANYWIDGET_HMR=1.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, context } from "esbuild";
import { minify } from "terser";

// The stems are those of mediawidget/widgets/<stem>.py.
export const WIDGETS = [
  "head_grid",
  "token_heatmap",
  "prompt_editor",
  "explorer",
  "basket",
  "mediation_diagram",
  "feature_grid",
  "gate_playground",
  "interaction_grid",
  "causal_trace",
  "attention_pattern",
  "logit_lens",
  "neurons",
  "circuit_board",
  "question",
  "counterfactual_designer",
];

/** What draws the widgets on a page without a kernel (mediawidget/widgets/exports/page.py). */
export const STAND_IN = "standalone";

const OWN =
  /^(labelOf|partner|answered|onBusy|onLost|narrow|cellReading|resultReading|chooseAll|set(Hover|Direction|Unit)|dismissError|secondsLeft|(clean|corrupt)Top|layerOf|focusCell|helpOpen|(row|col)Head|rowClass|repaint|rectangle|transposed|sweeping|hovered|verb|symbol|formula|reading|selection|pending|setAside|mergeResult|adding|choose|paint|hover|channel|busy|aside|wanted|said|fields|colLabels|rowLabels|compare|live|matrix|lacking|short|full|share|together|figure|resize|current)$/;

const SHORT = {
  "Math.max": "shortMax",
  "Math.min": "shortMin",
  "Math.abs": "shortAbs",
  "Math.floor": "shortFloor",
  "Math.round": "shortRound",
  "Number.isFinite": "shortFinite",
  "Object.entries": "shortEntries",
  document: "shortDocument",
  "Number.NaN": "NaN",
  "Number.POSITIVE_INFINITY": "Infinity",
};

const here = dirname(fileURLToPath(import.meta.url));
const outdir = resolve(here, "..", "mediawidget", "static");

/** esbuild's options; anywidget loads a widget from a blob, so nothing may be split or external. */
export function options({ watch = false } = {}) {
  return {
    absWorkingDir: here,
    entryPoints: [...WIDGETS, STAND_IN].map((stem) => `src/${stem}.ts`),
    outdir,
    bundle: true,
    format: "esm",
    target: ["es2022"],
    charset: "utf8",
    legalComments: "none",
    minify: !watch,
    // Names of our own that no message and no page knows: their length counts in every view.
    mangleProps: OWN,
    define: SHORT,
    inject: ["src/short.ts"],
    sourcemap: watch ? "inline" : false,
    logLevel: "warning",
  };
}

function printSizes(files) {
  for (const { path, contents } of files.toSorted((a, b) => a.path.localeCompare(b.path))) {
    const zipped = gzipSync(contents).length;
    console.log(
      `  static/${basename(path).padEnd(20)} ${kilobytes(contents.length)} (${kilobytes(zipped)} gzipped)`,
    );
  }
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1).padStart(6)} kB`;
}

/** A script that says the same in fewer bytes: terser finds what esbuild leaves. */
async function shorter({ path, contents }) {
  if (!path.endsWith(".js")) return { path, contents };
  const script = new TextDecoder().decode(contents);
  const { code } = await minify(script, { module: true, ecma: 2022, compress: { passes: 3 } });
  return { path, contents: new TextEncoder().encode(code) };
}

async function main() {
  if (process.argv.includes("--watch")) {
    const watcher = await context(options({ watch: true }));
    await watcher.watch();
    console.log("watching js/src; Ctrl-C ends it");
    return;
  }
  const built = await build({ ...options(), write: false });
  const outputFiles = await Promise.all(built.outputFiles.map(shorter));
  // Written only once all of it has been built: a failed build leaves the last good bundle.
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
  printSizes(outputFiles);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  // esbuild has said what is wrong by the time it throws.
  await main().catch((error) => {
    if (!error.errors) throw error;
    process.exitCode = 1;
  });
}
