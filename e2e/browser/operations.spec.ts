// What administrators see of how the registry is run. A server of its own: its files are damaged.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type Page } from "@playwright/test";

import { type Registry, freeAddress, startRegistry } from "../server";
import { Api, expect, signIn, test, violations } from "./fixtures";

const section = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

/** Other bytes where those of a file are. */
function damage(data: string, bytes: string): void {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const folders = readdirSync(join(data, "blobs")).map((folder) => join(data, "blobs", folder));
  const files = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)));
  const file = files.find((file) => file.includes(sha256));
  writeFileSync(file!, "!".repeat(bytes.length));
}

/** Runs the program beside a server. */
function run(...parameters: string[]): void {
  const target = process.env.CARGO_TARGET_DIR ?? resolve("../target");
  const binary = process.env.MODEL_REGISTRY_BIN ?? join(target, "release/model-registry");
  execFileSync(binary, parameters);
}

const shown = async (page: Page, name: string, isMobile: boolean) => {
  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await page.screenshot({ path: `test-results/operations/${name}${isMobile ? "-phone" : ""}.png`, fullPage: true });
};

test.describe("with damage, and uploads under way", () => {
  let server: Registry;

  test.beforeEach(async ({}, info) => {
    server = await startRegistry({ address: await freeAddress(), name: `operations-${info.project.name}`, flags: ["--no-auth"] });
  });
  test.afterEach(() => server.stop());

  test("an administrator sees how the registry is run", async ({ page, playwright, isMobile }) => {
    if (isMobile) await page.setViewportSize({ width: 360, height: 780 });
    const request = await playwright.request.newContext({ baseURL: server.url });
    const api = new Api(request);
    const model = await api.model(await api.project(), "ocr");
    const files = { "onnx/model.onnx": "weights", "config.json": "{}", "labels.txt": "a\nb\n", "notes.txt": "gone soon" };
    await api.version(model, "1.0.0", files, false);

    await test.step("nothing is wrong", async () => {
      await page.goto(`${server.url}/admin/users`);
      await page.getByRole("link", { name: "Operations" }).click();
      await expect(page.getByRole("heading", { level: 1, name: "Operations" })).toBeVisible();
      const storages = section(page, "Storages");
      await expect(storages).toContainText("Reachable");
      await expect(storages).toContainText("4 files, 22 B");
      await expect(storages).toContainText(server.data);
      await expect(storages.getByRole("progressbar", { name: "Disk space in use" })).toBeVisible();
      await expect(section(page, "Servers")).toContainText("One server with a folder.");
      await expect(section(page, "Uploads in progress")).toContainText("No uploads in progress.");
      await expect(section(page, "What will be removed")).toContainText("Nothing to remove");
      await expect(section(page, "Damaged files")).toContainText("No damage found");
      await expect(section(page, "Damaged files")).toContainText("No file has been checked yet.");
      await shown(page, "fine", isMobile);
    });

    await test.step("something is, and Refresh shows it", async () => {
      await request.post(`/files/${model}/1.0.0/large.bin`, {
        headers: {
          "tus-resumable": "1.0.0",
          "upload-length": "5000000",
          "upload-metadata": `filename ${btoa("large.bin")}`,
          "content-type": "application/offset+octet-stream",
        },
        data: Buffer.alloc(1_230_000),
      });
      for (const file of ["onnx/model.onnx", "labels.txt"] as const) {
        damage(server.data, files[file]);
        await request.get(`/files/${model}/1.0.0/${file}`).catch(() => {});
        const answer = await request.get(`/files/${model}/1.0.0/${file}`);
        expect(answer.status()).toBe(410);
      }
      await api.graphql("mutation($input: DeleteFileInput!) { deleteFile(input: $input) { file { path } } }", {
        input: { model, version: "1.0.0", path: "notes.txt" },
      });
      await page.getByRole("button", { name: "Refresh" }).click();
      const uploads = section(page, "Uploads in progress").getByRole("row").nth(1);
      await expect(uploads).toContainText(`${model}/1.0.0/large.bin`);
      await expect(uploads).toContainText("1.23 MB");
      await expect(uploads).toContainText("of 5.00 MB");
      const damaged = section(page, "Damaged files");
      await expect(damaged.getByRole("row")).toHaveCount(3);
      await expect(damaged.getByRole("row").nth(1)).toContainText(`${model}/1.0.0/labels.txt`);
      await expect(damaged.getByRole("row").nth(2)).toContainText("Lost");
      await expect(damaged).toContainText("2 damaged files");
      await expect(section(page, "Storages")).toContainText("2 damaged files");
      await shown(page, "wrong", isMobile);
    });
    await request.dispose();
  });

  test("what will be removed is known a week before", async ({ page, playwright, isMobile }) => {
    if (isMobile) await page.setViewportSize({ width: 360, height: 780 });
    const request = await playwright.request.newContext({ baseURL: server.url });
    const api = new Api(request);
    const model = await api.model(await api.project(), "ocr");
    await api.version(model, "1.0.0", { "notes.txt": "gone soon" }, false);
    await api.graphql("mutation($input: DeleteFileInput!) { deleteFile(input: $input) { file { path } } }", {
      input: { model, version: "1.0.0", path: "notes.txt" },
    });
    // What no file names any more is noted, as the server does once an hour.
    run("sweep", "--data", server.data);
    await page.goto(`${server.url}/admin/operations`);
    const removed = section(page, "What will be removed");
    await expect(removed).toContainText("1 file, 9 B");
    await expect(removed).toContainText("in 7 days");
    await shown(page, "removed", isMobile);
    await request.dispose();
  });
});

test("rules say which files belong in an archive, and what they would move", async ({ page, playwright, isMobile }, info) => {
  if (isMobile) await page.setViewportSize({ width: 360, height: 780 });
  const archive = mkdtempSync(join(tmpdir(), "archive-"));
  const storages = ["--storage", "default=file:", "--storage", `archive=file:${archive}`];
  const name = `rules-${info.project.name}`;
  const server = await startRegistry({ address: await freeAddress(), name, flags: ["--no-auth", ...storages] });
  try {
    const request = await playwright.request.newContext({ baseURL: server.url });
    const api = new Api(request);
    const model = await api.model(await api.project(), "ocr");
    const weights = "w".repeat(3_000_000);
    await api.version(model, "1.0.0", { "model.onnx": weights, "config.json": "{}" }, true);
    await page.goto(`${server.url}/admin/operations`);
    const rules = section(page, "Storage rules");
    await expect(rules).toContainText("There are no rules");
    await expect(section(page, "Storages")).toContainText("New files go here");

    await rules.getByRole("button", { name: "Change rules" }).click();
    await rules.getByRole("button", { name: "Add rule" }).click();
    await rules.getByLabel("Without an alias").check();
    await rules.getByLabel("Not fetched for (days)").fill("zero");
    await rules.getByRole("button", { name: "Preview" }).click();
    await expect(rules).toContainText("must be 1 to");
    await rules.getByLabel("Not fetched for (days)").fill("");
    await rules.getByRole("button", { name: "Preview" }).click();
    await expect(rules).toContainText("1 file, 3.00 MB, would be moved from default to archive");
    await shown(page, "rules", isMobile);
    // What is changed is shown again before it can be saved.
    await rules.getByLabel("Of at least (MiB)").fill("100");
    await expect(rules.getByRole("button", { name: "Save rules" })).toHaveCount(0);
    await rules.getByRole("button", { name: "Preview" }).click();
    await expect(rules).toContainText("nothing is moved.");
    await rules.getByLabel("Of at least (MiB)").fill("1");
    await rules.getByRole("button", { name: "Preview" }).click();
    await rules.getByRole("button", { name: "Save rules" }).click();
    await expect(rules).toContainText("Files, without an alias, of 1.05 MB or more → archive");
    await expect(rules).toContainText("All other files stay; those in a storage above come back to default");

    run("storage", "apply", "--data", server.data, ...storages);
    const moved = readdirSync(join(archive, "blobs")).flatMap((folder) => readdirSync(join(archive, "blobs", folder)));
    expect(moved).toHaveLength(1);
    await page.reload();
    await expect(section(page, "Storages")).toContainText(archive);
    const file = await request.get(`/files/${model}/1.0.0/model.onnx`);
    expect(await file.text()).toBe(weights);
    await shown(page, "archived", isMobile);
    await request.dispose();
  } finally {
    await server.stop();
  }
});

test("nobody else does", async ({ api, stranger }) => {
  const page = await stranger();
  await signIn(page, await api.person("bob"));
  await page.goto("/admin/operations");
  await expect(page.getByRole("alert")).toContainText("Only administrators can do this.");
  await expect(page.getByRole("link", { name: "Operations" })).toHaveCount(0);
});
