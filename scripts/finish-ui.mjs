// Trunk's post_build hook: completes what trunk built, in its staging folder.
//
// 1. Bundles GraphiQL, so that /graphql needs no CDN.
// 2. Takes in the chunks of the program that load later, from scripts/trunk/wasm-bindgen.
// 3. Moves trunk's inline start script into a file: the server's Content-Security-Policy allows none.
// 4. In a release, minifies (trunk's own minifier fails on what wasm-bindgen writes) and
//    writes a .br and a .gz beside every file that shrinks: the server never compresses.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import zlib from "node:zlib";

const { TRUNK_SOURCE_DIR: frontend, TRUNK_STAGING_DIR: staging, TRUNK_PROFILE, UI_CHUNKS: chunks } = process.env;
// What rustc's programs for browsers use; a chunk does not say so itself.
const WASM_OPT = [
  "-Oz",
  "--enable-bulk-memory",
  "--enable-multivalue",
  "--enable-mutable-globals",
  "--enable-nontrapping-float-to-int",
  "--enable-reference-types",
  "--enable-sign-ext",
];
// It does not know a part of the names, which it drops; what goes wrong is said in the error, too.
const QUIETLY = { stdio: "pipe" };
const wasmOpt = join(frontend, "node_modules/.bin/wasm-opt");
const release = TRUNK_PROFILE === "release";
const { build, transform } = createRequire(join(frontend, "package.json"))("esbuild");

await bundleGraphiql();
takeChunks();
moveInlineScript();
if (release) {
  for (const path of files(staging)) await minify(path);
  await Promise.all(files(staging).map(compress));
}

async function bundleGraphiql() {
  await build({
    entryPoints: [join(frontend, "graphiql/graphiql.js")],
    outdir: join(staging, "graphiql"),
    bundle: true,
    minify: true,
    target: "es2022",
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [{ name: "without-fonts", setup: dropFonts }],
    logLevel: "warning",
  });
  const page = readFileSync(join(frontend, "graphiql/index.html"));
  writeFileSync(join(staging, "graphiql/index.html"), page);
}

// The fonts inlined in GraphiQL's style sheet are most of its size; the browser's own do.
function dropFonts(build) {
  build.onLoad({ filter: /graphiql.*\.css$/ }, ({ path }) => ({
    contents: readFileSync(path, "utf8").replace(/@font-face\s*{[^}]*}/g, ""),
    loader: "css",
  }));
}

// Trunk's hash is of what loads first. The names of all parts get one of all, so that none is kept beside newer ones.
function takeChunks() {
  const first = readdirSync(staging).filter((name) => /^model-registry-ui-.*\.(js|wasm)$/.test(name));
  const [, given] = first.join("\n").match(/^(model-registry-ui-[0-9a-f]+)\.js$/m);
  const parts = [...first.map((name) => join(staging, name)), ...files(chunks)].sort();
  const all = createHash("sha256");
  for (const path of parts) all.update(readFileSync(path));
  const program = `model-registry-ui-${all.digest("hex").slice(0, 16)}`;

  const named = (text) =>
    text
      .replaceAll(given, program)
      .replaceAll('from "./__wasm_split.js"', `from "./${program}-__wasm_split.js"`)
      .replaceAll('from "./model-registry-ui.js"', `from "./${program}.js"`)
      .replace(/"\.\/(\w+\.wasm)"/g, `"./${program}-$1"`);
  for (const path of parts) {
    const name = basename(path);
    const taken = join(staging, name.includes(given) ? name.replace(given, program) : `${program}-${name}`);
    if (!path.endsWith(".wasm")) writeFileSync(taken, named(readFileSync(path, "utf8")));
    else if (release && path.startsWith(chunks)) execFileSync(wasmOpt, [...WASM_OPT, path, "-o", taken], QUIETLY);
    else copyFileSync(path, taken);
    if (path.startsWith(staging)) rmSync(path);
  }
  const page = join(staging, "index.html");
  // Trunk asks early for the parts it knows.
  const loader = `<link rel="modulepreload" href="/${program}-__wasm_split.js" crossorigin="anonymous">`;
  writeFileSync(page, named(readFileSync(page, "utf8")).replace("</head>", `${loader}</head>`));
}

function moveInlineScript() {
  const page = join(staging, "index.html");
  const html = readFileSync(page, "utf8").replace(
    /<script type="?module"?[^>]*>([^]*?)<\/script>/g,
    (element, script) => {
      if (script.trim() === "") return element;
      // What it names is beside it, also where the server is below a path.
      const start = script
        .replace(/from\s*(["'])\//g, "from $1./")
        .replace(/(module_or_path:\s*)(["'])\/(.+?)\2/g, "$1new URL($2./$3$2, import.meta.url)");
      const hash = createHash("sha256").update(start).digest("hex").slice(0, 16);
      writeFileSync(join(staging, `start-${hash}.js`), start);
      return `<script type="module" src="/start-${hash}.js"></script>`;
    },
  );
  // Trunk's live reload is an inline script too, and is not in a release.
  if (release && /<script(?![^>]*\bsrc=)/.test(html)) {
    throw new Error("index.html still has an inline script");
  }
  writeFileSync(page, html);
}

async function minify(path) {
  const loader = path.match(/\.(js|css)$/)?.[1];
  if (!loader || path.includes("/graphiql/")) return; // that was bundled minified
  const { code } = await transform(readFileSync(path, "utf8"), { loader, minify: true });
  writeFileSync(path, code);
}

async function compress(path) {
  const bytes = readFileSync(path);
  if (bytes.length < 512) return;
  const encodings = {
    br: promisify(zlib.brotliCompress)(bytes, {
      params: {
        [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
        [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
    gz: promisify(zlib.gzip)(bytes, { level: 9 }),
  };
  for (const [extension, compressed] of Object.entries(encodings)) {
    const result = await compressed;
    if (result.length < bytes.length) writeFileSync(`${path}.${extension}`, result);
  }
  if (/\.(wasm|js|css)$/.test(path)) report(path, bytes.length, (await encodings.br).length);
}

function report(path, size, compressed) {
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
  console.log(`${basename(path)}: ${kilobytes(size)}, ${kilobytes(compressed)} as brotli`);
}

function files(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}
