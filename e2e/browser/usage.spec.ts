// The commands beside models and versions: for what their files are, for who sees them, and with a token where one is needed.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { type Page } from "@playwright/test";

import { freeAddress, startRegistry } from "../server";
import { type Api, expect, test, violations } from "./fixtures";

const tabs = (page: Page, list: number) => page.getByRole("tablist", { name: "Language" }).nth(list).getByRole("tab");
const environment = (page: Page, name: string) =>
  page.getByRole("region", { name: "Client environment" }).filter({ hasText: name });
const code = async (page: Page, tab: string) => {
  await page.getByRole("tab", { name: tab, exact: true }).click();
  return page.getByRole("tabpanel", { name: tab, exact: true }).innerText();
};

async function run(script: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "usage-"));
  try {
    await promisify(execFile)("bash", ["-euo", "pipefail", "-c", script], { cwd: folder });
    return readFileSync(join(folder, "ocr/model.onnx"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function furnish(api: Api, visibility: string, files: Record<string, string> = { "model.onnx": "weights" }): Promise<string> {
  const model = await api.model(await api.project(visibility), "ocr");
  await api.version(model, "1.0.0", files);
  return model;
}

test.use({ permissions: ["clipboard-read", "clipboard-write"] });

test("a token is made where it is needed, and what is copied works", async ({ page, api }) => {
  const model = await furnish(api, "PRIVATE");
  await page.goto(`/${model}`);
  await expect(environment(page, "MLFLOW_TRACKING_URI")).toContainText('MLFLOW_TRACKING_TOKEN="<your token>"');
  const shell = environment(page, "export TOKEN");
  await expect(shell).toContainText('export TOKEN="<your token>"');
  await page.getByRole("button", { name: "Create token and copy" }).first().click();
  await expect(page.getByText("Token created and copied.")).toBeVisible();
  await expect(shell).toContainText("export TOKEN=mrt_");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^export TOKEN=mrt_\S+\n$/);
  expect(await violations(page)).toEqual([]);
  expect(await run(copied + (await code(page, "curl")))).toBe("weights");
});

test("nobody needs a token to read what is public, and guests are not told how to write", async ({ api, stranger, page }) => {
  const model = await furnish(api, "PUBLIC");
  const guest = await stranger();
  for (const path of [model, `${model}/versions/1.0.0`]) {
    await guest.goto(`/${path}`);
    await expect(tabs(guest, 0).first()).toBeVisible();
    await expect(guest.locator("main")).not.toContainText("TOKEN");
    for (const tab of ["Register", "Promote", "Log"]) {
      await expect(guest.getByRole("tab", { name: tab, exact: true })).toHaveCount(0);
    }
    expect(await run(await code(guest, "curl"))).toBe("weights");
  }
  // Who may write needs one for that, and none for reading.
  await page.goto(`/${model}`);
  await expect(environment(page, "MLFLOW_TRACKING_TOKEN")).toBeVisible();
  await expect(environment(page, "export TOKEN")).toHaveCount(0);
  await expect(page.getByRole("tab", { name: "Register", exact: true })).toBeVisible();
});

test("the first command is for what the files are, on the model's page as on the version's", async ({ page, api }) => {
  const cases = [
    [{ "onnx/model.onnx": "x" }, "ONNX Runtime", 'InferenceSession("ocr/onnx/model.onnx")'],
    [{ "config.json": "{}", "model.safetensors": "x" }, "Transformers", 'AutoModel.from_pretrained("ocr")'],
    [{ "weights.safetensors": "x" }, "PyTorch", 'load_file("ocr/weights.safetensors")'],
    [{ "q4.gguf": "x" }, "llama.cpp", "llama-cli -m 'ocr/q4.gguf'"],
  ] as const;
  for (const [files, tab, line] of cases) {
    const model = await furnish(api, "PRIVATE", files);
    for (const path of [model, `${model}/versions/1.0.0`]) {
      await page.goto(`/${path}`);
      await expect(tabs(page, 0).first()).toHaveText(tab);
      expect(await code(page, tab)).toContain(line);
      // MLflow finds no model there: only files to download.
      expect(await code(page, "Load")).toContain("download_artifacts");
    }
  }
  const model = await api.model(await api.project(), "ocr");
  await api.mlmodel(model, "1.0.0");
  for (const path of [model, `${model}/versions/1.0.0`]) {
    await page.goto(`/${path}`);
    expect(await code(page, "Load")).toContain("mlflow.sklearn.load_model(uri)");
    await expect(tabs(page, 0).first()).toHaveText("Load");
  }
});

test("where nobody signs in, no token is spoken of", async ({ page, isMobile }) => {
  test.skip(isMobile, "it is the same on a phone");
  const server = await startRegistry({ address: await freeAddress(), name: "no-auth", flags: ["--no-auth"] });
  try {
    await page.goto(`${server.url}/default`);
    await expect(environment(page, "MLFLOW_TRACKING_URI")).toBeVisible();
    await expect(page.locator("main")).not.toContainText("TOKEN");
    expect(await code(page, "curl")).not.toContain("Authorization");
  } finally {
    await server.stop();
  }
});
