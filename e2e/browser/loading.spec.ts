// What the browser loads, and when: little for the first page, the rest as it is needed.

import { type WebSocketRoute } from "@playwright/test";

import { expect, holdBack, test, violations } from "./fixtures";

/** All that the first page needs, compressed, in bytes. */
const FIRST_PAGE = 450_000;

/** The chunk of the pages about versions. */
const VERSIONS = /split_versions\.wasm/;

test("the first page is small, and another brings only what it lacks", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  const sizes = new Map<string, number>();
  page.on("requestfinished", async (request) => {
    const { responseBodySize } = await request.sizes();
    sizes.set(new URL(request.url()).pathname, responseBodySize);
  });

  await page.goto(`/${project}`);
  await expect(page.getByRole("link", { name: "ocr" }).first()).toBeVisible();
  await page.waitForLoadState("networkidle");
  const programs = () => [...sizes.keys()].filter((path) => path.endsWith(".wasm"));
  await expect.poll(programs).toHaveLength(1);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  test.info().annotations.push({ type: "first page", description: `${total} bytes` });
  // Far less would mean that nothing was counted.
  expect(total).toBeGreaterThan(FIRST_PAGE / 4);
  expect(total, [...sizes].join("\n")).toBeLessThanOrEqual(FIRST_PAGE);

  const [first] = programs();
  sizes.clear();
  await page.goto(`/${model}/versions`);
  await expect(page.getByText("No versions yet")).toBeVisible();
  await expect.poll(programs).toContainEqual(expect.stringMatching(VERSIONS));
  expect(programs().filter((path) => path !== first).length).toBeLessThan(20);
});

test("the page before stays while the next one comes, but not for long", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  const [before, waiting] = [
    page.getByRole("heading", { name: "ocr", exact: true }),
    page.getByRole("heading", { name: "Loading" }),
  ];
  const release = await holdBack(page, VERSIONS);
  await page.clock.install();
  await page.goto(`/${model}`);
  await expect(before).toBeVisible();
  await page.clock.pauseAt(Date.now() + 60_000);

  const asked = page.waitForRequest(VERSIONS);
  await page.getByRole("link", { name: "New version" }).first().click();
  await asked;
  await page.clock.runFor(400);
  await expect(before).toBeVisible();
  await expect(waiting).toBeHidden();
  await page.clock.runFor(200);
  await expect(waiting).toBeVisible();
  await expect(before).toBeHidden();
  await page.clock.resume();
  release();
  await expect(page.getByLabel("Release notes")).toBeVisible();
});

test("a session may end while a page comes", async ({ page }) => {
  const release = await holdBack(page, /split_manage\.wasm/);
  await page.goto("/");
  await expect(page.getByRole("button", { name: "Account" })).toBeVisible();
  await page.context().clearCookies();
  await page.getByRole("link", { name: "New project" }).first().click();
  // The header knows it first; only then the page arrives.
  await expect(page.getByRole("button", { name: "Account" })).toBeHidden();
  release();
  await expect(page).toHaveURL(/sign-in/);
  await expect(page.getByLabel("Password")).toBeVisible();
});

test.describe("where the registry does not answer", () => {
  test.use({ expectedComplaints: [/ERR_FAILED/] });

  test("what was shown and typed stays, and comes up to date when tried again", async ({ page, api }) => {
    const model = await api.model(await api.project(), "ocr");
    await page.goto(`/${model}`);
    await page.getByRole("button", { name: "Add tag" }).click();
    const key = page.getByLabel("Key", { exact: true });
    await key.fill("half-ty");
    const notice = page.getByText("This page may be out of date.");

    await page.route("**/graphql", (route) => route.abort());
    // The socket tells of it, and the page asks anew.
    await api.tag(model, "team", "vision");
    await expect(notice).toBeVisible();
    await expect(notice).toContainText("didn't answer");
    await expect(page.getByRole("heading", { level: 1 })).toContainText("ocr");
    await expect(key).toHaveValue("half-ty");
    await expect(key).toBeFocused();
    expect(await violations(page)).toEqual([]);
    const failed = page.waitForEvent("requestfailed");
    await page.getByRole("button", { name: "Try again" }).click();
    await failed;
    await expect(notice).toBeVisible();

    // Once it answers, nobody needs to ask.
    await page.unroute("**/graphql");
    await expect(notice).toBeHidden({ timeout: 10_000 });
    await expect(page.getByRole("list", { name: "Tags", exact: true })).toContainText("vision");
    await expect(key).toHaveValue("half-ty");

    // Another page is no page that stays.
    await page.route("**/graphql", (route) => route.abort());
    // Whether it answers at all.
    const asked = page.waitForEvent("requestfailed", (request) => request.postData() === '{"query":"{ __typename }"}');
    await page.getByRole("link", { name: /^Versions/ }).first().click();
    await expect(page.getByRole("alert")).toContainText("No connection to the registry");
    await asked;
    await page.unroute("**/graphql");
    await expect(page.getByText("No versions yet")).toBeVisible({ timeout: 10_000 });
  });

  test("that is said without anybody asking, and no longer when it is back", async ({ page, api }) => {
    const model = await api.model(await api.project(), "ocr");
    let away = false;
    const sockets: WebSocketRoute[] = [];
    const connected = new Set<WebSocketRoute>();
    await page.routeWebSocket("**/graphql", (socket) => {
      if (away) return void socket.close();
      sockets.push(socket);
      const server = socket.connectToServer();
      // A connection that is lost is one that was there: the server has told how the model is.
      server.onMessage((message) => {
        if (String(message).includes('"next"')) connected.add(socket);
        socket.send(message);
      });
    });
    await page.route("**/graphql", (route) => (away ? route.abort() : route.continue()));
    await page.goto(`/${model}`);
    await expect(page.getByRole("list", { name: "Tags", exact: true })).toBeVisible();
    await expect.poll(() => sockets.length > 0 && sockets.every((socket) => connected.has(socket))).toBe(true);
    // The second where the page was just asking for what is new.
    const notice = page.getByText(/There is no connection to the registry\. Reconnecting…|The registry didn't answer/);
    away = true;
    await Promise.all(sockets.splice(0).map((socket) => socket.close()));
    await expect(notice).toBeVisible({ timeout: 5_000 });
    expect(await violations(page)).toEqual([]);

    // What is missed meanwhile is there afterwards.
    await api.tag(model, "team", "vision");
    away = false;
    await expect(notice).toBeHidden({ timeout: 10_000 });
    await expect(page.getByRole("list", { name: "Tags", exact: true })).toContainText("vision");
  });
});

test.describe("a page that does not arrive", () => {
  test.use({ expectedComplaints: [/ERR_|TypeError|Failed to load/] });

  test("says so, and comes when tried again", async ({ page, api }) => {
    const model = await api.model(await api.project(), "ocr");
    await page.goto(`/${model}`);
    await page.route(VERSIONS, (route) => route.abort());
    await page.getByRole("link", { name: /^Versions/ }).first().click();
    await expect(page.getByRole("alert")).toContainText("No connection to the registry");
    await page.unroute(VERSIONS);
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByText("No versions yet")).toBeVisible();
  });
});

test("header and shape of a page are there before the program is", async ({ page }) => {
  const release = await holdBack(page, /model-registry-ui-[^/]*_bg\.wasm/);
  await page.addInitScript(() => localStorage.setItem("theme", "dark"));
  await page.goto("/", { waitUntil: "commit" });
  const shell = page.locator("#shell");
  await expect(shell.locator("header svg")).toBeVisible();
  await expect(shell.locator(".skeleton").first()).toBeVisible();
  const background = () => shell.locator("header").evaluate((header) => getComputedStyle(header).backgroundColor);
  const dark = await background();
  release();
  await expect(page.getByRole("button", { name: "Account" })).toBeVisible();
  await expect(shell).toHaveCount(0);
  expect(await page.locator("header").evaluate((header) => getComputedStyle(header).backgroundColor)).toBe(dark);
});

test.describe("a program that does not arrive", () => {
  test.use({ expectedComplaints: [/ERR_|TypeError|Failed to load/] });

  test("is said to have failed, and comes when the page is loaded again", async ({ page }) => {
    await page.route(/model-registry-ui-[^/]*_bg\.wasm/, (route) => route.abort());
    await page.goto("/");
    await expect(page.getByRole("alert")).toContainText("Model Registry could not be loaded");
    expect(await violations(page)).toEqual([]);
    await page.unrouteAll();
    await page.getByRole("button", { name: "Reload" }).click();
    await expect(page.getByRole("button", { name: "Account" })).toBeVisible();
  });
});
