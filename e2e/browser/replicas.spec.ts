// Two servers on PostgreSQL and an object store, behind one address: whoever is at the one that dies goes on at the other.
// They run where there are both, as `make test-browser` has them.

import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startRoad } from "../road";
import { type Registry, freeAddress, startRegistry } from "../server";
import { Api, expect, test } from "./fixtures";

const MB = 1_000_000;
const { MODEL_REGISTRY_TEST_POSTGRES: database = "", MODEL_REGISTRY_TEST_STORAGE: storage = "" } = process.env;

// What the browser says of a connection that is cut.
test.use({ expectedComplaints: [/net::ERR_/] });

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("an upload goes on when its server dies, and downloads come from the store", async ({ page, playwright, isMobile }) => {
  test.skip(!database || !storage, "there is no PostgreSQL or no object store to try");
  test.skip(isMobile, "once is enough: it is the same database");
  test.setTimeout(120_000);
  const flags = ["--no-auth", "--redirect", "always", "--database", database, "--storage", storage];
  const start = async (name: string) => startRegistry({ address: await freeAddress(), name: `replica-${name}`, flags });
  const servers: Registry[] = [await start("one"), await start("two")];
  const road = await startRoad(servers[0].url);
  const folder = mkdtempSync(join(tmpdir(), "replicas-"));
  try {
    const request = await playwright.request.newContext({ baseURL: servers[1].url });
    const api = new Api(request);
    const model = await api.model(await api.project(), "ocr");
    await api.version(model, "1.0.0", { "onnx/labels.txt": "a\nb\n" }, false);
    const bytes = randomBytes(150 * MB);
    writeFileSync(join(folder, "weights.bin"), bytes);

    await test.step("its server dies in the midst of it", async () => {
      await page.goto(`${road.url}/${model}/versions/1.0.0`);
      // It is sent in pieces of 64 MiB.
      road.bytesPerSecond = 30 * MB;
      await page.getByTestId("pick-files").setInputFiles(join(folder, "weights.bin"));
      const percent = () => page.getByLabel("All uploads").evaluate((bar: HTMLProgressElement) => bar.value);
      await expect.poll(percent, { timeout: 60_000 }).toBeGreaterThan(60);
      const begun: string[] = [];
      const offsets: number[] = [];
      page.on("request", (sent) => {
        if (sent.method() === "POST" && sent.url().includes("/files/")) begun.push(sent.url());
        if (sent.method() === "PATCH") offsets.push(Number(sent.headers()["upload-offset"]));
      });
      road.to = servers[1].url;
      await servers[0].kill();
      await expect(page.getByText("1 of 1 files · 150 MB of 150 MB")).toBeVisible({ timeout: 60_000 });
      expect(begun, "nothing begins anew").toEqual([]);
      expect(Math.max(...offsets)).toBeGreaterThan(64 * MB);
      const file = await request.head(`/files/${model}/1.0.0/weights.bin`);
      expect(file.headers().etag).toBe(`"${sha256(bytes)}"`);
    });

    await test.step("a file is sent by the store itself, a folder by the server", async () => {
      road.bytesPerSecond = Infinity;
      await page.reload();
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: /Download .*weights\.bin/ }).click(),
      ]);
      expect(file.suggestedFilename()).toBe("weights.bin");
      expect(sha256(readFileSync(await file.path()))).toBe(sha256(bytes));
      expect(servers[1].log()).toContain("redirected");
      await page.getByRole("button", { name: "Download onnx" }).click();
      const [all] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "As .tar" }).locator("visible=true").click(),
      ]);
      expect(execFileSync("tar", ["-xOf", await all.path(), "labels.txt"], { encoding: "utf8" })).toBe("a\nb\n");
    });

    await test.step("administrators see which server is gone", async () => {
      await page.goto(`${road.url}/admin/operations`);
      const section = page.getByRole("region", { name: "Servers", exact: true });
      await expect(section.getByRole("listitem")).toHaveCount(2);
      await expect(page.getByRole("region", { name: "Storages", exact: true })).toContainText("Object store");
      await page.screenshot({ path: "test-results/operations/replicas.png", fullPage: true });
    });
    await request.dispose();
  } finally {
    road.stop();
    await servers[0].stop();
    await servers[1].stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
