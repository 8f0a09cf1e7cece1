// Trunk's post_build hook: completes what trunk built, in its staging folder.
//
// 1. Bundles GraphiQL, so that /graphql needs no CDN.
// 2. Moves trunk's inline start script into a file: the server's Content-Security-Policy allows none.
// 3. In a release, minifies (trunk's own minifier fails on what wasm-bindgen writes) and
//    writes a .br and a .gz beside every file that shrinks: the server never compresses.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import zlib from "node:zlib";

const { TRUNK_SOURCE_DIR: frontend, TRUNK_STAGING_DIR: staging, TRUNK_PROFILE } = process.env;
const release = TRUNK_PROFILE === "release";
const { build, transform } = createRequire(join(frontend, "package.json"))("esbuild");

await bundleGraphiql();
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

function moveInlineScript() {
  const page = join(staging, "index.html");
  const html = readFileSync(page, "utf8").replace(
    /<script type="?module"?[^>]*>([^]*?)<\/script>/g,
    (element, script) => {
      if (script.trim() === "") return element;
      const hash = createHash("sha256").update(script).digest("hex").slice(0, 16);
      writeFileSync(join(staging, `start-${hash}.js`), script);
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
