// Writes gateway/static/graphiql: the page, and under assets/ everything it loads, by names that hold a hash of the
// content, with a .gz beside each file that shrinks. The same sources and lock give the same bytes.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

import { licences } from "./licences.mjs";

const OUT = "../../gateway/static/graphiql";
const ASSETS = join(OUT, "assets");

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
};

// Every browser that runs this page reads woff2, so the older format would only fill the folder.
const woff2Only = {
  name: "woff2-only",
  setup(bundler) {
    bundler.onLoad({ filter: /@fontsource[\\/].*\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll(/, url\([^)]*\.woff\) format\('woff'\)/g, ""),
      loader: "css",
    }));
  },
};

// GraphiQL asks for the CommonJS forms of these parsers, whose exports it would then look for in the wrong place.
const PARSERS = {
  "prettier/parser-babel": "prettier/plugins/babel",
  "prettier/parser-graphql": "prettier/plugins/graphql",
};

const COMMON = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  metafile: true,
  legalComments: "none",
  outdir: ASSETS,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".ttf": "file", ".woff2": "file", ".svg": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
};

rmSync(OUT, { recursive: true, force: true });
mkdirSync(ASSETS, { recursive: true });

const workers = await build({
  ...COMMON,
  entryPoints: Object.entries(WORKERS).map(([name, path]) => ({ in: path, out: `${name}.worker` })),
});
const page = await build({
  ...COMMON,
  entryPoints: ["src/page.tsx", "src/editor.tsx"],
  splitting: true,
  jsx: "automatic",
  alias: PARSERS,
  define: {
    ...COMMON.define,
    WORKER_NAMES: JSON.stringify(
      Object.fromEntries(Object.entries(WORKERS).map(([name, path]) => [name, outputOf(workers, path).script])),
    ),
  },
});
const pageStyle = await build({ ...COMMON, entryPoints: ["src/page.css"], plugins: [woff2Only] });
const icon = await build({ ...COMMON, entryPoints: ["src/icon.svg"], loader: { ".svg": "copy" } });

const names = {
  pageScript: outputOf(page, "src/page.tsx").script,
  pageStyle: nameOf(pageStyle, ".css"),
  editorStyle: outputOf(page, "src/editor.tsx").style,
  icon: nameOf(icon, ".svg"),
};
// Each chunk gets a style sheet with what it imports; the editor's holds them all, and no one asks for the others.
for (const path of Object.keys(page.metafile.outputs)) {
  if (path.endsWith(".css") && basename(path) !== names.editorStyle) rmSync(path);
}
const html = readFileSync("src/page.html", "utf8").replaceAll(/\{(\w+)\}/g, (_, name) => names[name]);
writeFileSync(join(OUT, "page.html"), html);
const inputs = [workers, page, pageStyle].flatMap((result) => Object.keys(result.metafile.inputs));
writeFileSync(join(ASSETS, "LICENSES.txt"), licences(inputs));
// A test compares this with the sources, so that nobody changes them and forgets to build.
writeFileSync(join(OUT, "sources.sha256"), `${digestOfSources()}\n`);

compress(join(OUT, "page.html"));
for (const name of readdirSync(ASSETS)) compress(join(ASSETS, name));

/** The hashed names of the script and the style sheet that an entry point became. */
function outputOf(result, entryPoint) {
  for (const [path, output] of Object.entries(result.metafile.outputs)) {
    if (output.entryPoint?.endsWith(entryPoint) && path.endsWith(".js")) {
      return { script: basename(path), style: output.cssBundle && basename(output.cssBundle) };
    }
  }
  throw new Error(`${entryPoint} is not among the outputs`);
}

function digestOfSources() {
  const paths = ["build.mjs", "licences.mjs", "package-lock.json", ...readdirSync("src").map((name) => `src/${name}`)];
  const digest = createHash("sha256");
  for (const path of paths.sort()) digest.update(`${path}\n`).update(readFileSync(path));
  return digest.digest("hex");
}

function nameOf(result, suffix) {
  return basename(Object.keys(result.metafile.outputs).find((path) => path.endsWith(suffix)));
}

function compress(path) {
  const content = readFileSync(path);
  const compressed = gzipSync(content, { level: 9 });
  if (compressed.length < content.length * 0.95) writeFileSync(`${path}.gz`, compressed);
}
