// A dashboard of another origin, with a token: it queries, uploads, downloads and subscribes. The origin is a sibling of the
// registry's, where browsers do send the session's cookie along; nobody's session is used all the same.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";

import { expect, type Page, test } from "@playwright/test";

import config from "../playwright.config";
import { admin, freeAddress, type Registry, startRegistry } from "../server";

const launchOptions = config.use?.launchOptions;
test.use({
  launchOptions: {
    ...launchOptions,
    args: [...(launchOptions?.args ?? []), "--host-resolver-rules=MAP *.example.test 127.0.0.1"],
  },
});

let dashboards: Server;
let registry: Registry;
let url: string;
let dash: string;
let other: string;
let token: string;

test.beforeAll(async () => {
  dashboards = createServer((request, response) => {
    // A page that shows only what agrees to be shown there.
    if (request.url === "/isolated") response.setHeader("cross-origin-embedder-policy", "require-corp");
    response.setHeader("content-type", "text/html").end("<h1>Dashboard</h1>");
  });
  dashboards.listen(0, "127.0.0.1");
  await once(dashboards, "listening");
  const { port } = dashboards.address() as AddressInfo;
  [dash, other] = [`http://dash.example.test:${port}`, `http://other.example.test:${port}`];
  const address = await freeAddress();
  url = `http://registry.example.test:${address.split(":")[1]}`;
  const flags = ["--public-url", url, "--allowed-origins", dash];
  registry = await startRegistry({ address, name: "embedding", flags });
  const graphql = async (query: string, cookie = "") => {
    const headers = { "content-type": "application/json", cookie };
    const answer = await fetch(`${registry.url}/graphql`, { method: "POST", headers, body: JSON.stringify({ query }) });
    const { data, errors } = await answer.json();
    expect(errors).toBeUndefined();
    return { data, cookie: answer.headers.get("set-cookie")?.split(";")[0] ?? "" };
  };
  const { username, password } = admin;
  const { cookie } = await graphql(`mutation { signIn(input: {username: "${username}", password: "${password}"}) { user { id } } }`);
  await graphql('mutation { createProject(input: {path: "vision"}) { project { id } } }', cookie);
  await graphql('mutation { createModel(input: {project: "vision", name: "ocr"}) { model { id } } }', cookie);
  await graphql('mutation { createModelVersion(input: {model: "vision/ocr", version: "1.0.0"}) { modelVersion { id } } }', cookie);
  const made = await graphql('mutation { createToken(input: {name: "dashboard", scope: WRITE}) { secret } }', cookie);
  token = made.data.createToken.secret;
});

test.afterAll(async () => {
  await registry?.stop();
  dashboards.close();
  await once(dashboards, "close");
});

/** What a page of an origin is answered; "refused" where the browser shows it nothing. */
async function tries(page: Page) {
  return page.evaluate(
    async ([registry, token]) => {
      const bearer = { authorization: `Bearer ${token}` };
      const refused = () => "refused";
      const ask = (headers: Record<string, string>, credentials: RequestCredentials = "same-origin") => {
        const body = JSON.stringify({ query: '{ viewer { username } model(path: "vision/ocr") { name } }' });
        const options = { method: "POST", body, credentials, headers: { "content-type": "application/json", ...headers } };
        return fetch(`${registry}/graphql`, options).then((answer) => answer.json(), refused);
      };
      const socket = new Promise((resolve) => {
        const socket = new WebSocket(`${registry.replace("http", "ws")}/graphql`, "graphql-transport-ws");
        socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init", payload: { Authorization: `Bearer ${token}` } }));
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.type === "connection_ack") {
            const payload = { query: 'subscription { modelChanged(model: "vision/ocr") { name } }' };
            socket.send(JSON.stringify({ id: "1", type: "subscribe", payload }));
          } else resolve(message.payload);
        };
        socket.onclose = () => resolve("refused");
      });
      const stream = async () => {
        const body = JSON.stringify({ query: 'subscription { modelChanged(model: "vision/ocr") { name } }' });
        const headers = { "content-type": "application/json", accept: "text/event-stream", ...bearer };
        const answer = await fetch(`${registry}/graphql`, { method: "POST", body, headers });
        const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        while (!text.includes("event: next")) text += (await reader.read()).value ?? "";
        await reader.cancel();
        return text;
      };
      const file = `${registry}/files/vision/ocr/1.0.0/f`;
      return {
        byToken: await ask(bearer),
        asNobody: await ask({}),
        withCookie: await ask({}, "include"),
        byGet: await fetch(`${registry}/graphql?query=${encodeURIComponent("{ viewer { username } }")}`, { headers: bearer }).then((answer) => answer.json(), refused),
        put: await fetch(file, { method: "PUT", body: "abc", headers: bearer }).then((answer) => answer.status, refused),
        get: await fetch(file, { headers: bearer }).then(async (answer) => [await answer.text(), answer.headers.get("etag")], refused),
        socket: await socket,
        stream: await stream().catch(refused),
      };
    },
    [url, token],
  );
}

async function signIn(page: Page) {
  await page.goto(`${url}/sign-in`);
  await page.locator("#username").fill(admin.username);
  await page.locator("#password").fill(admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${url}/`);
}

test("a dashboard of an allowed origin works with a token, and no session is used for it", async ({ page }) => {
  // Somebody is signed in to the registry in this browser.
  await signIn(page);
  await page.goto(dash);
  const found = await tries(page);
  expect(found.byToken).toEqual({ data: { viewer: { username: "admin" }, model: { name: "ocr" } } });
  expect(found.asNobody).toEqual({ data: { viewer: null, model: null } });
  expect(found.withCookie, "no answer allows credentials").toBe("refused");
  expect(found.byGet).toEqual({ data: { viewer: { username: "admin" } } });
  expect(found.put).toBe(201);
  expect(found.get).toEqual(["abc", expect.stringMatching(/^"[0-9a-f]{64}"$/)]);
  expect(found.socket).toEqual({ data: { modelChanged: { name: "ocr" } } });
  expect(found.stream).toContain('data: {"data":{"modelChanged":{"name":"ocr"}}}');

  await page.goto(other);
  const refused = await tries(page);
  expect(new Set(Object.values(refused).map(String)), "another origin gets nothing").toEqual(new Set(["refused"]));
});

test("with an embed token pages of its origins show a private project, and others do not", async ({ page }) => {
  await signIn(page);
  await page.goto(`${url}/vision/-/tokens`);
  await page.locator("#embed-name").fill("Team dashboard");
  await page.locator("#embed-origins").fill(`${other}, https://intranet.example.org`);
  await page.locator("#embed-models").fill("ocr");
  await page.getByRole("button", { name: "Create embed token" }).click();
  const secret = (await page.getByTestId("token-secret").textContent()) ?? "";
  expect(secret).toMatch(/^mre_/);
  const list = page.getByRole("list", { name: "Embed tokens" });
  await expect(list).toContainText(other);
  await expect(list).toContainText("ocr");

  const ask = (path: string) =>
    page.evaluate(
      ([address, token]) =>
        fetch(address!, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify({ query: '{ model(path: "vision/ocr") { name } }' }),
        }).then((answer) => answer.json(), () => "refused"),
      [url + path, secret],
    );
  /** Whether a card and a badge of the project show. */
  const shown = async () => {
    const badge = await page.evaluate(
      ([url, token]) =>
        new Promise<number>((resolve) => {
          const image = new Image();
          image.onload = () => resolve(image.naturalWidth);
          image.onerror = () => resolve(0);
          image.src = `${url}/badge/vision/ocr/1.0.0.svg?token=${token}`;
          document.body.append(image);
          const frame = document.createElement("iframe");
          frame.src = `${url}/embed/vision/ocr@1.0.0?token=${token}`;
          document.body.append(frame);
        }),
      [url, secret],
    );
    const card = await page.frameLocator("iframe").getByText("1.0.0").first().isVisible({ timeout: 5000 }).catch(() => false);
    return { badge: badge > 0, card };
  };

  // That origin is not in --allowed-origins.
  await page.goto(other);
  expect(await ask("/graphql")).toEqual({ data: { model: { name: "ocr" } } });
  await expect.poll(shown).toEqual({ badge: true, card: true });
  await page.goto(`${other}/isolated`);
  await expect.poll(shown).toEqual({ badge: true, card: true });
  await page.goto(other.replace("other", "third"));
  expect(await ask("/graphql")).toBe("refused");
  const { card } = await shown();
  expect(card, "only its own origins frame it").toBe(false);

  await page.goto(`${url}/vision/-/tokens`);
  await list.getByRole("button", { name: "Revoke" }).first().click();
  await page.getByRole("button", { name: "Revoke embed token" }).click();
  await expect(page.getByText("revoked")).toBeVisible();
  await page.goto(other);
  // The page can read why.
  expect(await ask("/graphql")).toMatchObject({ errors: [{ extensions: { code: "UNAUTHENTICATED" } }] });
  expect((await shown()).badge, "an image that says so").toBe(true);
});

test("a token for one query is made in the form, and tells how it is asked", async ({ page }) => {
  await signIn(page);
  await page.goto(`${url}/vision/-/tokens`);
  const form = page.getByRole("form", { name: "New embed token" });
  await form.getByLabel("Name").fill("One number");
  await form.getByLabel("Origins").fill(other);
  await form.getByLabel("Operations").fill("mutation { signOut { __typename } }");
  await form.getByRole("button", { name: "Create embed token" }).click();
  await expect(form.getByText("must be a query or a subscription")).toBeVisible();
  await form.getByLabel("Operations").fill("{ models { totalCount } }");
  await form.getByRole("button", { name: "Create embed token" }).click();
  await expect(page.getByText('JSON.stringify({ query: "{ models { totalCount } }" })')).toBeVisible();
  await expect(page.getByRole("list", { name: "Embed tokens" })).toContainText("only 1 operation");
});

test("an older project called embed has its pages below /-/p until it is renamed", async ({ page }) => {
  await signIn(page);
  await page.goto(`${url}/new`);
  await page.getByLabel("Path").fill("once");
  await page.getByRole("button", { name: "Create project" }).click();
  await expect(page).toHaveURL(`${url}/once`);
  // No project can get that name any more.
  const sql = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(sys.argv[2]); db.commit()";
  const rename = "UPDATE projects SET path = 'embed' WHERE path = 'once'";
  execFileSync("python3", ["-c", sql, `${registry.data}/registry.sqlite`, rename]);

  await page.goto(url);
  await page.getByRole("main").getByRole("link", { name: "once" }).click();
  await expect(page).toHaveURL(`${url}/-/p/embed`);
  await expect(page.getByRole("heading", { name: "once" })).toBeVisible();
  await page.goto(`${url}/-/p/embed/-/new`);
  await page.getByLabel("Name").fill("ocr");
  await page.getByRole("button", { name: "Create model" }).click();
  await expect(page).toHaveURL(`${url}/-/p/embed/ocr`);
  await page.reload();
  await expect(page.getByRole("heading", { name: "ocr" })).toBeVisible();
  // Back among the others, and to where it is when it has another name.
  await page.getByRole("link", { name: "Model Registry" }).click();
  await expect(page).toHaveURL(`${url}/`);
  await page.goto(`${url}/-/p/embed/-/edit`);
  await page.getByLabel("Path").fill("cards");
  await page.getByRole("button", { name: "Change path" }).click();
  await expect(page).toHaveURL(/\/cards/);
  await page.goto(`${url}/-/p/embed/ocr`);
  await expect(page, "its old address leads on").toHaveURL(`${url}/cards/ocr`);
});
