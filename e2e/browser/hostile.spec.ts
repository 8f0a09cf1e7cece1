// What users write, name and upload cannot run or break anything: 200 ways to try, each in every place that shows
// text, and all pages that show them.

import { type Page } from "@playwright/test";

import { expect, test } from "./fixtures";

// What markdown takes for an attribute without quotes has no `=` in it.
const fire = "fire()";
const elements = ["img src=x", "svg", "body", "video src=x", "audio src=x", "details open", "input autofocus", "iframe src=x"];
const handlers = ["onerror", "onload", "ontoggle", "onfocus", "onloadstart", "onanimationstart", "onmouseover", "onpointerenter", "onbegin", "onpageshow"];
const schemes = ["javascript:", "JaVaScRiPt:", "java\tscript:", "\u0001javascript:", "javascript&colon;", "vbscript:", "data:text/html,<script>", "data:image/svg+xml,<svg onload=", "blob:", "//evil.example/"];
const carriers = [
  (url: string) => `[x](${url}${fire})`,
  (url: string) => `![x](${url}${fire})`,
  (url: string) => `<a href="${url}${fire}">x</a>`,
  (url: string) => `<form action="${url}${fire}"><button>x</button></form>`,
  (url: string) => `<${url}${fire}>`,
  (url: string) => `<iframe src="${url}${fire}"></iframe>`,
];
const odd = [
  `<script>${fire}</script>`,
  `<script src="data:,${fire}"></script>`,
  `<scr<script>ipt>${fire}</scr</script>ipt>`,
  `</textarea><script>${fire}</script>`,
  `</title><script>${fire}</script>`,
  `<!--><script>${fire}</script>-->`,
  `<![CDATA[><script>${fire}</script>]]>`,
  `<style>@import 'data:text/css,*{background:url(x)}';</style>`,
  `<style>body{display:none}</style>`,
  `<link rel=stylesheet href="data:text/css,body{display:none}">`,
  `<meta http-equiv=refresh content="0;url=javascript:${fire}">`,
  `<base href="https://evil.example/">`,
  `<object data="data:text/html,<script>${fire}</script>"></object>`,
  `<embed src="javascript:${fire}">`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${fire}&gt;">`,
  `<math href="javascript:${fire}"><mi>x</mi></math>`,
  `<math><annotation-xml encoding="text/html"><img src=x onerror=${fire}></annotation-xml></math>`,
  `<svg><animate onbegin=${fire} attributeName=x dur=1s>`,
  `<svg><use href="data:image/svg+xml,<svg id=x onload=${fire}>#x"/></svg>`,
  `<svg><foreignObject><body onload=${fire}></foreignObject></svg>`,
  `<noscript><p title="</noscript><img src=x onerror=${fire}>">`,
  `<template><img src=x onerror=${fire}></template>`,
  `<select><noembed></select><script>${fire}</script>`,
  `<div style="position:fixed;inset:0;background:red;z-index:9999">x</div>`,
  `<div class="fixed inset-0 btn">x</div>`,
  `<p id="main" name="body">x</p>`,
  `<a href="x" target="_blank" onclick="${fire}">x</a>`,
  `<button formaction="javascript:${fire}">x</button>`,
  `<img srcset="x 1x" onerror=${fire}>`,
  `<img src="x\`\`onerror=${fire}">`,
  `<img """><script>${fire}</script>">`,
  `<IMG SRC=&#106;avascript:${fire}>`,
  `<x onclick=${fire} tabindex=1 id=x>x</x>`,
  "```html\n</code></pre><script>fire()</script>\n```",
  '```"><img/src=x/onerror=fire()>\nx\n```',
  `$\\text{<img src=x onerror=${fire}>}$`,
  `$\\href{javascript:${fire}}{x}$`,
  `$$\\class{fixed}{</math><script>${fire}</script>}$$`,
  `<span data-math-style="inline"><img src=x onerror=${fire}></span>`,
  `<span data-math-style="display">&lt;img src=x onerror=${fire}&gt;</span>`,
  `| <img src=x onerror=${fire}> | b |\n|---|---|\n| </td><script>${fire}</script> | d |`,
  `- [x] <input type=image src=x onerror=${fire}>`,
  `[^x]: <img src=x onerror=${fire}>`,
  `[x]: javascript:${fire}\n\n[x]`,
  `> [!NOTE] <img src=x onerror=${fire}>\n> x`,
  `http://x"onmouseover="${fire}"`,
  `x@x"onclick=${fire}.example`,
  `&lt;script&gt;${fire}&lt;/script&gt;`,
  `{{constructor.constructor('${fire}')()}}`,
  "${fire()}",
  `';${fire};//`,
  `"-${fire}-"`,
  `\u202e<script>${fire}</script>`,
  `\u2028${fire}`,
  `%3Cscript%3E${fire}%3C/script%3E`,
  `=HYPERLINK("javascript:${fire}")`,
  `../../../etc/passwd"><img src=x onerror=${fire}>`,
  `__proto__`,
  `constructor`,
  `<isindex type=image src=1 onerror=${fire}>`,
];
const payloads = [
  ...elements.flatMap((element) => handlers.map((handler) => `<${element} ${handler}=${fire}>`)),
  ...schemes.flatMap((scheme) => carriers.map((carrier) => carrier(scheme))),
  ...odd,
];

/** What of a page could run, or lead where something runs. */
async function dangers(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = "fired" in window ? ["something ran"] : [];
    for (const element of document.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        if (/^on/i.test(name)) found.push(element.outerHTML);
        // eslint-disable-next-line no-control-regex
        const url = value.replace(/[\u0000-\u0020]/g, "");
        const leads = ["href", "src", "action", "formaction", "data", "xlink:href"].includes(name);
        if (leads && /^(javascript|vbscript|data:text|data:image\/svg)/i.test(url)) found.push(element.outerHTML);
      }
    }
    const own = "script, style, iframe, object, embed, form, base, meta, link, template, svg, [style], [class~=fixed], [class~=btn]";
    for (const prose of document.querySelectorAll(".prose")) {
      for (const element of prose.querySelectorAll(own)) found.push(element.outerHTML);
    }
    if (document.querySelector("base")) found.push("a base");
    return found;
  });
}

// What images point at is not there, or not over TLS.
test.use({ expectedComplaints: [/Failed to load resource|^Loading the image .http:..evil/] });

test("200 hostile texts run nowhere, wherever they are", async ({ page, api, request }) => {
  await page.addInitScript(() => {
    Object.assign(window, { fire: () => Object.assign(window, { fired: true }) });
  });
  expect(new Set(payloads).size).toBeGreaterThanOrEqual(200);
  const project = await api.project();
  const card = payloads.join("\n\n");
  const model = await api.model(project, "<img src=x onerror=alert(1)>".replace(/[/:]/g, ""), card);
  const named = payloads.map((payload) => payload.replace(/[\u0000-\u001f\u007f\u2028]/g, " ").trim());
  // No key turns text around; a value may.
  const keyOf = (value: string) => value.replaceAll("\u202e", "");
  const tags = named.map((value, index) => ({ key: keyOf(value).slice(0, 200) || `t${index}`, value }));
  const params = named.map((value, index) => ({ name: keyOf(`${index} ${value}`).slice(0, 250), value }));
  const metrics = named.map((value, index) => ({ name: keyOf(`${index} ${value}`).slice(0, 250), value: index }));
  const update = "mutation($input: UpdateModelInput!) { updateModel(input: $input) { model { id } } }";
  await api.graphql(update, { input: { model, description: `---\nlicense: "${elements.map((e) => `<${e} onload=${fire}>`).join("")}"\n---\n${card}` } });
  const run = "mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }";
  for (const half of [0, 1]) {
    const part = <T>(all: T[]) => all.filter((_, index) => index % 2 === half);
    await api.graphql(run, {
      input: { model, name: named[half], params: part(params), metrics: part(metrics), tags: part(tags) },
    });
  }
  await api.version(model, "1.0.0", {}, false);
  const note = "mutation($input: UpdateModelVersionInput!) { updateModelVersion(input: $input) { modelVersion { id } } }";
  await api.graphql(note, { input: { model, version: "1.0.0", description: card } });
  const set = "mutation($input: SetTagInput!) { setTag(input: $input) { tag { key } } }";
  for (const tag of tags.slice(-40)) await api.graphql(set, { input: { model, ...tag } });
  const encoded = model.split("/").map(encodeURIComponent).join("/");
  const paths = named.map((name, index) => `${index} ${name}`.replace(/[\\%\u202a-\u202e\u2066-\u2069]/g, "").split("/").filter((part) => !["", ".", ".."].includes(part)));
  await Promise.all(
    paths.map(async (path) => {
      const put = `/files/${encoded}/1.0.0/${path.map(encodeURIComponent).join("/")}`;
      const response = await request.put(put, { data: Buffer.from(`<script>${fire}</script>`) });
      expect(response.ok(), `${put}: ${await response.text()}`).toBe(true);
    }),
  );

  await api.experiment(project, "<img src=x onerror=alert(1)>");

  for (const path of [
    `/${project}`,
    `/${encoded}`,
    `/${encoded}/versions`,
    `/${encoded}/versions/1.0.0`,
    `/${encoded}/candidates`,
    `/${encoded}/candidates/1`,
    `/${encoded}/candidates/compare?c=1&c=2`,
    `/${encoded}/-/audit`,
    `/${project}/-/experiments`,
  ]) {
    await page.goto(path);
    await expect(page.getByRole("main")).toContainText("onerror=alert(1)");
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    await expect(page.getByRole("heading").first()).toBeVisible();
    expect(await dangers(page), path).toEqual([]);
  }
  // The page is still itself.
  await page.goto(`/${encoded}`);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("<img src=x onerror=alert(1)>");
  await expect(page.locator(".prose .front-matter")).toContainText("<svg onload");
  await expect(page.getByRole("navigation").first()).toBeVisible();

  // Each by itself, too: in one text some swallow others.
  const query = "query($text: String!) { renderMarkdown(text: $text) }";
  const rendered: string[] = [];
  for (const text of payloads) rendered.push((await api.graphql(query, { text })).renderMarkdown);
  await page.evaluate((rendered) => {
    for (const html of rendered) {
      const prose = document.createElement("div");
      prose.className = "prose";
      prose.innerHTML = html;
      document.querySelector("main")?.append(prose);
    }
  }, rendered);
  expect(await page.locator("main > .prose").count()).toBe(payloads.length);
  // Images that failed have said so, and what is laid out has been drawn.
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  expect(await dangers(page)).toEqual([]);
});
