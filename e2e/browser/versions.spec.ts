// The versions of a model: found by their tags, deleted together, followed while others work on them, fetched by CI.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, signIn, test, violations } from "./fixtures";

test("versions are found by tag, deleted together and brought back", async ({ page, api, stranger }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  for (const version of ["1.0.0", "1.1.0", "2.0.0"]) await api.version(model, version);
  const tag = async (version: string, key: string, value: string) =>
    api.graphql("mutation($input: SetTagInput!) { setTag(input: $input) { tag { key } } }", { input: { model, version, key, value } });
  await tag("1.0.0", "stage", "it's done");
  await tag("1.1.0", "stage", "prod");
  await page.goto(`/${model}/versions`);
  const names = page.locator("tbody").getByRole("link");
  await expect(names).toHaveText(["2.0.0", "1.1.0", "1.0.0"]);

  await test.step("by a tag", async () => {
    const field = page.getByRole("searchbox", { name: /^Tag/ });
    await field.fill("stage=prod");
    await expect(names).toHaveText(["1.1.0"]);
    await expect(page).toHaveURL(/tag=stage%3Dprod/);
    await field.fill("stage = it's done");
    await expect(names).toHaveText(["1.0.0"]);
    await field.fill("stage");
    await expect(names).toHaveText(["1.1.0", "1.0.0"]);
    await field.fill("a`b");
    await expect(page.locator("#tag-problem")).toContainText("Enter a tag");
    expect(await violations(page)).toEqual([]);
    await field.fill("team");
    await expect(page.getByText("No matching versions")).toBeVisible();
    await field.fill("");
    await expect(names).toHaveCount(3);
  });

  await test.step("several are deleted, one of which is gone already", async () => {
    for (const version of ["1.0.0", "2.0.0"]) await page.getByRole("checkbox", { name: `Select ${version}` }).check();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Delete 2 versions?" });
    await expect(dialog).toContainText("Scripts that use these versions will fail");
    await api.bury(model, "2.0.0");
    await dialog.getByRole("button", { name: "Delete" }).click();
    const rest = page.getByRole("dialog", { name: "Delete version 2.0.0?" });
    await expect(rest.getByRole("alert")).toContainText("2.0.0");
    expect(await violations(page)).toEqual([]);
    await rest.getByRole("button", { name: "Cancel" }).click();
    await expect(page.getByText("Select versions to compare them.")).toBeVisible();
    await expect(names).toHaveText(["1.1.0"]);
    const toast = page.locator(".toast-card", { hasText: "Version 1.0.0 moved to the trash." });
    await toast.getByRole("button", { name: "Undo" }).click();
    await expect(names).toHaveText(["1.1.0", "1.0.0"]);
  });

  await test.step("the last page goes when all that it had is deleted", async () => {
    const many = await api.model(project, "many");
    for (let patch = 0; patch <= 25; patch++) await api.version(many, `0.0.${patch}`);
    await page.goto(`/${many}/versions`);
    await page.getByRole("button", { name: "Next" }).click();
    await expect(names).toHaveText(["0.0.0"]);
    await page.getByRole("checkbox", { name: "Select 0.0.0" }).check();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await expect(names).toHaveCount(25);
    await expect(page).not.toHaveURL(/after=/);
    await expect(page.getByText("Select versions to compare them.")).toBeVisible();
    await expect(page.getByRole("main")).toBeFocused();
    await page.goto(`/${model}/versions`);
    await expect(names).toHaveCount(2);
  });

  await test.step("a guest deletes nothing", async () => {
    const guest = await api.person("guest");
    await api.member(project, guest.username, "GUEST");
    const theirs = await stranger();
    await signIn(theirs, guest);
    await theirs.goto(`/${model}/versions`);
    const boxes = theirs.locator("tbody").getByRole("checkbox");
    for (const place of [0, 1]) await boxes.nth(place).check();
    await expect(theirs.getByRole("link", { name: "Compare" })).toBeVisible();
    await expect(theirs.getByRole("button", { name: "Delete", exact: true })).toHaveCount(0);
  });
});

test("what others do to versions is seen without a reload", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", { "model.onnx": "weights" });
  const stays = () => page.evaluate(() => Object.assign(window, { loadedOnce: true }));
  const stayed = () => page.evaluate(() => "loadedOnce" in window);

  await page.goto(`/${model}/versions`);
  const names = page.locator("tbody").getByRole("link");
  await expect(names).toHaveText(["1.0.0"]);
  await stays();
  await api.version(model, "1.1.0", {}, false);
  await expect(names).toHaveText(["1.1.0", "1.0.0"]);
  expect(await stayed()).toBe(true);

  await page.getByRole("link", { name: "1.1.0" }).click();
  await expect(page.getByText("No files yet.")).toBeVisible();
  await api.put(`${model}/1.1.0/onnx/model.onnx`, "weights");
  await expect(page.getByRole("row", { name: /onnx/ }).first()).toBeVisible();
  await api.alias(model, "champion", "1.1.0");
  await expect(page.getByRole("list", { name: "Aliases" })).toContainText("champion");
  expect(await stayed()).toBe(true);
});

test("the job that a version shows for CI fetches it", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", { "onnx/model.onnx": "weights" });
  await page.goto(`/${model}/versions/1.0.0`);
  await page.getByRole("tab", { name: "CI" }).click();
  const job = await page.locator("#usage-panel").innerText();
  const commands = [...job.matchAll(/^ +- (?:'(.*)'|(mkdir.*))$/gm)].map(([, quoted, plain]) => quoted?.replaceAll("''", "'") ?? plain);
  expect(commands).toHaveLength(2);
  const folder = mkdtempSync(join(tmpdir(), "ci-"));
  const env = { PATH: process.env.PATH, TOKEN: await api.token() };
  execFileSync("sh", ["-ec", commands.join("\n")], { cwd: folder, env });
  expect(readFileSync(join(folder, "ocr/onnx/model.onnx"), "utf8")).toBe("weights");
  rmSync(folder, { recursive: true });
});

test("aliases stand beside their versions, with their history, and are moved from there", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  for (const version of ["1.0.0", "2.0.0"]) await api.version(model, version);
  await api.alias(model, "champion", "1.0.0");
  await page.goto(`/${model}/versions`);
  const row = (version: string) => page.getByRole("row").filter({ has: page.getByRole("link", { name: version, exact: true }) });
  const alias = (version: string) => row(version).getByRole("button", { name: "champion" });
  await expect(alias("1.0.0")).toBeVisible();
  expect(await violations(page)).toEqual([]);

  await row("2.0.0").getByRole("button", { name: "Add or move alias to 2.0.0" }).click();
  const form = page.getByRole("dialog", { name: "Add or move alias to 2.0.0" });
  await form.getByRole("button", { name: "champion" }).click();
  await expect(form).toContainText("1.0.0");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(alias("2.0.0")).toBeVisible();
  await expect(alias("1.0.0")).toHaveCount(0);

  await alias("2.0.0").click();
  const history = page.getByRole("dialog", { name: "History of “champion”" });
  await expect(history.getByRole("listitem")).toHaveCount(2);
  expect(await violations(page)).toEqual([]);
  await history.getByRole("button", { name: "Roll back to 1.0.0" }).click();
  await expect(alias("1.0.0")).toBeVisible();
});
