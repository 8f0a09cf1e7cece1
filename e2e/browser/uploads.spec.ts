// Large folders on their way through a connection that fails, a page that is reloaded, and people who change
// their minds: what has arrived is never sent again, and what is there in the end is what was dropped.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type Page } from "@playwright/test";

import { startRoad } from "../road";
import { expect, signIn, test, violations } from "./fixtures";

const MB = 1_000_000;

// What the browser says of a connection that is cut.
test.use({ expectedComplaints: [/net::ERR_/] });

const percent = (page: Page) => page.getByLabel("All uploads").evaluate((bar: HTMLProgressElement) => bar.value);

/** What the page sends from now on: the method, the file or upload, and where in it. */
function sent(page: Page) {
  const requests: { method: string; path: string; offset: number }[] = [];
  page.on("request", (request) => {
    if (!["PUT", "PATCH", "POST"].includes(request.method()) || request.url().endsWith("/graphql")) return;
    const offset = Number(request.headers()["upload-offset"] ?? 0);
    requests.push({ method: request.method(), path: new URL(request.url()).pathname, offset });
  });
  return requests;
}

test("a large folder survives a lost connection and a reload", async ({ page, api, request, baseURL }) => {
  test.setTimeout(180_000);
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", {}, false);
  const root = mkdtempSync(join(tmpdir(), "model-registry-uploads-"));
  const hashes = new Map<string, string>();
  const sizes = [["a.txt", 1000], ["deep/er/b.bin", 3 * MB], ["one.bin", 70 * MB], ["two.bin", 70 * MB], ["z/three.bin", 60 * MB]] as const;
  for (const [name, size] of sizes) {
    const path = join(root, "weights", name);
    const bytes = randomBytes(size);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    hashes.set(`weights/${name}`, createHash("sha256").update(bytes).digest("hex"));
  }
  const road = await startRoad(baseURL!);
  page.on("dialog", (dialog) => dialog.accept());

  await page.goto(`${road.url}/${model}/versions/1.0.0`);
  road.bytesPerSecond = 20 * MB;
  await page.getByTestId("pick-folder").setInputFiles(join(root, "weights"));
  await expect.poll(() => percent(page), { timeout: 60_000 }).toBeGreaterThan(20);
  await expect(page.getByText(/MB\/s · .* left/)).toBeVisible();
  road.cut();
  await expect(page.getByText("Connection lost. Reconnecting…")).toBeVisible();
  await expect(page.getByText("Reconnecting").first()).toBeVisible();
  const before = await percent(page);

  // It goes on by itself, where it was.
  const again = sent(page);
  road.isCut = false;
  await expect.poll(() => percent(page), { timeout: 60_000 }).toBeGreaterThan(before + 10);
  expect(again.filter(({ method, offset }) => method === "PATCH" && offset > 0)).not.toEqual([]);
  expect(again.filter(({ method }) => method === "POST"), "nothing begins anew").toEqual([]);

  // And after a reload, when the same folder is dropped again.
  await page.reload();
  await expect(page.getByTestId("pick-folder")).toBeAttached();
  const rest = sent(page);
  road.bytesPerSecond = Infinity;
  await page.getByTestId("pick-folder").setInputFiles(join(root, "weights"));
  await expect(page.getByText("5 of 5 files · 203 MB of 203 MB")).toBeVisible({ timeout: 90_000 });
  expect(rest.filter(({ method }) => method === "POST"), "nothing begins anew").toEqual([]);
  const patches = rest.filter(({ method }) => method === "PATCH");
  expect(patches.length).toBeGreaterThan(0);
  expect(patches.filter(({ offset }) => offset > 10 * MB)).not.toEqual([]);
  for (const [path, sha256] of hashes) {
    const file = await request.head(`/files/${model}/1.0.0/${path}`);
    expect(file.headers().etag, path).toBe(`"${sha256}"`);
  }

  // Once more: nothing at all is sent.
  await page.reload();
  const nothing = sent(page);
  await page.getByTestId("pick-folder").setInputFiles(join(root, "weights"));
  await expect(page.getByText("5 of 5 files")).toBeVisible();
  expect(nothing).toEqual([]);
  road.stop();
  rmSync(root, { recursive: true });
});

test("an upload is paused, resumed and cancelled", async ({ page, api, request, baseURL }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", {}, false);
  const road = await startRoad(baseURL!);
  const file = (name: string, size: number) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.alloc(size, name) });
  await page.clock.install();
  await page.goto(`${road.url}/${model}/versions/1.0.0`);
  road.bytesPerSecond = MB;
  await page.getByLabel("Upload to").fill("weights");
  await page.getByTestId("pick-files").setInputFiles([file("big.bin", 12 * MB), file("other.bin", 12 * MB)]);
  await expect.poll(() => percent(page), { timeout: 30_000 }).toBeGreaterThan(10);
  // What follows is done while both are on their way, however long it takes here.
  road.bytesPerSecond = MB / 16;
  expect(await violations(page)).toEqual([]);

  const aborted = page.waitForEvent("requestfailed", (request) => request.method() === "PATCH");
  await page.getByRole("button", { name: "Pause weights/big.bin" }).click();
  await aborted;
  const requests = sent(page);
  const ended = page.waitForResponse((response) => response.request().method() === "DELETE");
  await page.getByRole("button", { name: "Cancel weights/other.bin" }).click();
  expect((await ended).status()).toBe(204);
  await expect(page.getByText("Cancelled")).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: "Paused" })).toBeVisible();
  const paused = await percent(page);
  expect(paused).toBeGreaterThan(0);

  // Nothing is sent by itself, however long it waits and however free the way is.
  road.bytesPerSecond = Infinity;
  await page.clock.fastForward("10:00");
  expect(await percent(page)).toBe(paused);
  expect(requests).toEqual([]);
  await page.getByRole("button", { name: "Resume weights/big.bin" }).click();
  await expect(page.getByText("1 of 1 files")).toBeVisible({ timeout: 30_000 });
  expect(requests.map(({ method }) => method)).toEqual(["PATCH"]);
  expect(requests[0].offset).toBeGreaterThan(0);
  const sha256 = createHash("sha256").update(Buffer.alloc(12 * MB, "big.bin")).digest("hex");
  expect((await request.head(`/files/${model}/1.0.0/weights/big.bin`)).headers().etag).toBe(`"${sha256}"`);
  expect((await request.head(`/files/${model}/1.0.0/weights/other.bin`)).status()).toBe(404);

  // What was cancelled begins anew.
  await page.getByRole("button", { name: "Retry weights/other.bin" }).click();
  await expect(page.getByText("2 of 2 files")).toBeVisible({ timeout: 30_000 });
  road.stop();
});

test("files are pasted", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", {}, false);
  await page.goto(`/${model}/versions/1.0.0`);
  await expect(page.getByTestId("pick-files")).toBeAttached();
  await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["from the clipboard"], "pasted.txt"));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  });
  await expect(page.getByText("1 of 1 files")).toBeVisible();
  expect(String(await api.get(`${model}/1.0.0/pasted.txt`))).toBe("from the clipboard");
});

test("an upload is seen from every page, and leads back to where it is", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", {}, false);
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/files/**", async (route) => {
    if (route.request().method() === "PUT") await released;
    await route.continue().catch(() => {});
  });
  await page.goto(`/${model}/versions/1.0.0`);
  const status = page.getByRole("banner").getByRole("button", { name: /^Uploads:/ });
  await expect(status).toHaveCount(0);
  await page.getByTestId("pick-files").setInputFiles({ name: "w.bin", mimeType: "", buffer: Buffer.from("weights") });
  await expect(status).toBeVisible();

  await page.getByRole("banner").getByRole("link", { name: "Model Registry" }).click();
  await expect(page).toHaveURL("/");
  await status.click();
  const upload = page.getByRole("banner").getByRole("link", { name: `${model} 1.0.0` });
  await expect(upload).toContainText("0 of 1 files");
  expect(await violations(page)).toEqual([]);
  await upload.click();
  await expect(page).toHaveURL(`/${model}/versions/1.0.0`);
  release();
  await expect(status).toHaveCount(0);
  expect(String(await api.get(`${model}/1.0.0/w.bin`))).toBe("weights");
});

test("what a person uploads ends with them, and not with their session", async ({ api, stranger, request }) => {
  const [ada, bob] = [await api.person("ada"), await api.person("bob")];
  const project = await api.project();
  for (const { username } of [ada, bob]) await api.member(project, username, "DEVELOPER");
  const model = await api.model(project, "ocr");
  await api.version(model, "1.0.0", {}, false);
  const page = await stranger();
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/files/**", async (route) => {
    if (route.request().method() === "PUT") await released;
    await route.continue().catch(() => {});
  });
  const status = page.getByRole("banner").getByRole("button", { name: /^Uploads:/ });
  const upload = async () => {
    await page.goto(`/${model}/versions/1.0.0`);
    await page.getByTestId("pick-files").setInputFiles({ name: "w.bin", mimeType: "", buffer: Buffer.from("weights") });
    await expect(status).toBeVisible();
  };
  await signIn(page, ada);
  await upload();

  await test.step("it waits where the session has ended, for somebody to sign in", async () => {
    await page.context().clearCookies();
    await page.getByRole("banner").getByRole("link", { name: "Model Registry" }).click();
    await page.getByRole("link", { name: "Sign in" }).first().click();
    await expect(page.getByLabel("Username")).toBeVisible();
    await expect(status).toBeVisible();
  });

  await test.step("somebody else does not go on with it", async () => {
    const ended = page.waitForEvent("requestfailed", (request) => request.method() === "PUT");
    await page.getByLabel("Username").fill(bob.username);
    await page.getByLabel("Password").fill(bob.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("button", { name: "Account" })).toBeVisible();
    await ended;
    await expect(status).toHaveCount(0);
  });

  await test.step("who signs out is asked first", async () => {
    await upload();
    const ended = page.waitForEvent("requestfailed", (request) => request.method() === "PUT");
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    const dialog = page.getByRole("dialog", { name: "Sign out?" });
    await expect(dialog).toContainText("Some uploads are not finished.");
    await expect(dialog).not.toContainText("This browser keeps");
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Sign out" }).click();
    await ended;
    await expect(page).toHaveURL("/sign-in");
  });
  release();
  expect((await request.head(`/files/${model}/1.0.0/w.bin`)).status()).toBe(404);
});
