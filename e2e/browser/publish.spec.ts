// From an empty registry to a published model, and back out of the trash.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { admin } from "../server";
import { expect, holdBack, nobody, test, violations } from "./fixtures";

test("a model is published, found, moved to by an alias, deleted and restored", async ({ page, api }, info) => {
  const project = `j-${Date.now().toString(36)}-${info.project.name}`;
  const folder = mkdtempSync(join(tmpdir(), "model-"));
  const model = join(folder, "model");
  mkdirSync(join(model, "onnx/quantised"), { recursive: true });
  writeFileSync(join(model, "config.json"), "{}");
  writeFileSync(join(model, "onnx/model.onnx"), Buffer.alloc(20_000_000, 7));
  writeFileSync(join(model, "onnx/quantised/model.onnx"), Buffer.alloc(3_000_000, 8));

  await test.step("create a project; a bad path is refused as it is typed", async () => {
    await page.goto("/");
    await page.getByRole("link", { name: "New project" }).first().click();
    await page.getByLabel("Name").fill("Journey");
    await page.getByLabel("Path").fill("Bad Path!");
    await expect(page.getByText("for example “bad-path”")).toBeVisible();
    await page.getByLabel("Path").fill(project);
    await page.getByRole("button", { name: "Create project" }).click();
    await expect(page).toHaveURL(`/${project}`);
    await expect(page.getByText("Publish the first model")).toBeVisible();
  });

  await test.step("create a model, its card previewed by the server and its script gone", async () => {
    await page.goto(`/${project}/-/new`);
    await page.getByLabel("Name").fill("my model & co");
    await page.getByLabel(/Model card/).fill("# Hello\n\nThis is **bold** <script>alert(1)</script>");
    await page.getByRole("button", { name: "Preview" }).click();
    await expect(page.locator("strong", { hasText: "bold" })).toBeVisible();
    await page.getByRole("button", { name: "Create model" }).click();
    await expect(page).toHaveURL(new RegExp(`${project}/my%20model`));
    await expect(page).toHaveTitle(/my model & co/);
  });

  await test.step("create version 1.2.0; what is not SemVer is told what would do", async () => {
    await page.getByRole("link", { name: "New version" }).first().click();
    await page.getByLabel("Version").fill("v1.2");
    await expect(page.getByText("for example “1.2.0”")).toBeVisible();
    await page.getByLabel("Version").fill("1.2.0");
    await page.getByRole("button", { name: "Create version" }).click();
    await expect(page).toHaveURL(/versions\/1\.2\.0/);
  });

  await test.step("upload a folder, and publish", async () => {
    await page.getByTestId("pick-folder").setInputFiles(model);
    await expect(page.getByText("3 of 3 files")).toBeVisible({ timeout: 30_000 });
    await expect(page.getByRole("button", { name: "onnx" }).first()).toBeVisible();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("button", { name: "Publish version" }).click();
    await expect(page.getByText("1.2.0 has been published.")).toBeVisible();
    await expect(page.getByText("Digest")).toBeVisible();
    const uploaded = await api.get(`${project}/my%20model%20%26%20co/1.2.0/model/onnx/quantised/model.onnx`);
    expect(uploaded.equals(Buffer.alloc(3_000_000, 8))).toBe(true);
  });

  await test.step("move an alias to it", async () => {
    await page.getByRole("button", { name: "Add or move alias" }).click();
    await page.getByLabel("Alias", { exact: true }).fill("v1");
    await expect(page.getByText("looks like a version")).toBeVisible();
    await page.getByLabel("Alias", { exact: true }).fill("champion");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByText("champion now points to 1.2.0.")).toBeVisible();
  });

  await test.step("download a file", async () => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: /Download .*config\.json/ }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("config.json");
  });

  await test.step("delete the version and undo it", async () => {
    await page.getByRole("button", { name: "More actions for this version" }).click();
    await page.getByRole("button", { name: "Delete version" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete version" }).click();
    await expect(page).toHaveURL(/versions$/);
    const deleted = page.locator(".toast-card", { hasText: "trash" });
    await deleted.getByRole("button", { name: "Undo" }).click();
    await expect(page).toHaveURL(/versions\/1\.2\.0/);
  });

  await test.step("find it by search, as the latest version", async () => {
    await api.model(project, "another");
    await page.goto(`/${project}`);
    await expect(page.getByRole("link", { name: "another" })).toBeVisible();
    await page.getByRole("searchbox").fill("MODEL &");
    await expect(page.getByRole("link", { name: "another" })).toBeHidden();
    await expect(page).toHaveURL(/q=MODEL/);
    await expect(page.getByRole("link", { name: "1.2.0" }).first()).toBeVisible();
  });

  await test.step("delete the model, find it in the trash, restore it", async () => {
    await page.goto(`/${project}/my%20model%20%26%20co/-/edit`);
    await page.getByRole("button", { name: "Delete model" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    await expect(page).toHaveURL(`/${project}`);
    await page.goto(`/${project}/-/trash`);
    await page.getByRole("button", { name: /Restore my model/ }).click();
    await expect(page.getByText("The trash is empty")).toBeVisible();
    await page.goto(`/${project}/my%20model%20%26%20co`);
    await expect(page.getByRole("button", { name: "Actions for champion" })).toBeVisible();
  });
  rmSync(folder, { recursive: true });
});

test("an upload is cancelled, retried, and refused with its reason", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await api.version(model, "1.0.0", { "there.bin": "other bytes" }, false);
  await page.goto(`/${model}/versions/1.0.0`);
  const release = await holdBack(page, "**/slow.bin");
  const file = (name: string) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.alloc(1000) });
  await page.getByTestId("pick-files").setInputFiles([file("slow.bin")]);
  await page.getByRole("button", { name: "Cancel slow.bin" }).click();
  await expect(page.getByText("Cancelled")).toBeVisible();
  await page.getByRole("button", { name: "Retry slow.bin" }).click();
  await expect(page.getByText("Cancelled")).toBeHidden();
  release();
  await expect(page.getByRole("button", { name: "Delete slow.bin" })).toBeVisible();
});

test.describe(() => {
  test.use({ expectedComplaints: [/409/] });
  test("other bytes for a file that is there are refused, and the page says why", async ({ page, api }) => {
    const project = await api.project();
    const model = await api.model(project, "ocr");
    await api.version(model, "1.0.0", { "there.bin": "other bytes" }, false);
    await page.goto(`/${model}/versions/1.0.0`);
    await page.getByTestId("pick-files").setInputFiles([
      { name: "there.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(1000) },
    ]);
    await expect(page.getByText("files can't be overwritten")).toBeVisible();
  });
});

test.describe("without a session", () => {
  test.use({ storageState: nobody });

  test("a deep link leads through the sign-in and back", async ({ page }) => {
    await page.goto("/settings/tokens?x=1");
    await expect(page).toHaveURL(/sign-in\?next=/);
    await page.getByLabel("Username").fill(admin.username);
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("Incorrect username or password.");
    await page.getByLabel("Password").fill(admin.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(/settings\/tokens\?x=1/);

    await page.getByLabel("Name").fill("laptop");
    await page.getByRole("button", { name: "Create token" }).click();
    const secret = await page.getByTestId("token-secret").innerText();
    expect(secret).toMatch(/^mrt_/);
    await page.getByRole("listitem").filter({ hasText: "laptop" }).getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("button", { name: "Revoke token" }).click();
    await expect(page.getByText("revoked.")).toBeVisible();

    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page).toHaveURL(/sign-in/);
    await page.goto("/");
    await expect(page.getByRole("link", { name: "Sign in" }).first()).toBeVisible();
    await expect(page.getByRole("link", { name: "New project" })).toBeHidden();
  });
});

test("a model is renamed, and its files come as a folder or all together", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "old-name");
  await api.model(project, "taken");
  await api.version(model, "1.0.0", { "onnx/model.onnx": "weights", "onnx/labels.txt": "a", "config.json": "{}" });
  await page.goto(`/${model}/-/edit`);

  await test.step("what it means is said before, and a name in use after", async () => {
    await expect(page.getByText("Links and scripts that use the old name keep working until that name is given again.")).toBeVisible();
    await page.getByLabel("Name").fill("taken");
    await page.getByRole("button", { name: "Rename" }).click();
    await expect(page.locator("#name-note")).toContainText("taken");
    await page.getByLabel("Name").fill("new-name");
    await page.getByRole("button", { name: "Rename" }).click();
    await expect(page).toHaveURL(`/${project}/new-name/-/edit`);
    await expect(page.getByRole("heading", { level: 1, name: "new-name" })).toBeVisible();
  });

  await test.step("who has the old address comes to the new one", async () => {
    await page.goto(`/${model}/versions`);
    await expect(page).toHaveURL(`/${project}/new-name/versions`);
  });

  const contents = async (of: string) => {
    await page.getByRole("button", { name: of }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "As .tar" }).locator("visible=true").click(),
    ]);
    const names = execFileSync("tar", ["-tf", await download.path()], { encoding: "utf8" });
    return names.trim().split("\n").filter((name) => !name.endsWith("/")).sort();
  };
  await test.step("a folder, and everything", async () => {
    await page.goto(`/${project}/new-name/versions/1.0.0`);
    expect(await contents("Download onnx")).toEqual(["labels.txt", "model.onnx"]);
    await page.keyboard.press("Escape");
    expect(await contents("Download all files")).toEqual(["config.json", "onnx/labels.txt", "onnx/model.onnx"]);
  });
});

test("publishing waits for files that are arriving, or goes on without them", async ({ page, api, baseURL }) => {
  const model = await api.model(await api.project(), "ocr");
  const token = await api.token();
  // A script's upload, whose last byte comes when it is told to.
  const begin = (path: string) => {
    const headers = { authorization: `Bearer ${token}`, "content-length": 3 };
    const put = request(`${baseURL}/files/${model}/${path}`, { method: "PUT", headers });
    put.on("error", () => {});
    put.write("12");
    return put;
  };
  const dialog = page.getByRole("dialog");
  const publish = async (version: string, file: string) => {
    await api.version(model, version, {}, false);
    const put = begin(`${version}/${file}`);
    const ask = "query($path: String!, $ref: String!) { model(path: $path) { version(ref: $ref) { unfinishedUploads { path } } } }";
    const arriving = async () => (await api.graphql(ask, { path: model, ref: version })).model.version.unfinishedUploads;
    await expect.poll(arriving).toEqual([{ path: file }]);
    await page.goto(`/${model}/versions/${version}`);
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await expect(dialog).toContainText(`${file} (uploading)`);
    await page.getByRole("button", { name: "Publish version" }).click();
    await expect(dialog).toContainText("These files are still uploading:");
    await expect(dialog.getByRole("listitem")).toHaveText([file]);
    expect(await violations(page)).toEqual([]);
    return put;
  };

  const first = await publish("1.0.0", "weights.bin");
  await dialog.getByRole("button", { name: "Wait for these files" }).click();
  await expect(dialog).toContainText("Waiting. The version will be published when these files are complete.");
  first.end("3");
  await expect(page.getByText("1.0.0 has been published.")).toBeVisible({ timeout: 20_000 });
  await expect(page.getByRole("button", { name: "weights.bin" }).or(page.getByRole("link", { name: "weights.bin" })).first()).toBeVisible();

  const second = await publish("1.1.0", "late.bin");
  await dialog.getByRole("button", { name: "Publish without these files" }).click();
  await expect(page.getByText("1.1.0 has been published.")).toBeVisible();
  second.destroy();
});

test("who publishes is told of names that some systems cannot keep", async ({ page, api }) => {
  const model = await api.model(await api.project(), "names");
  await api.version(model, "1.0.0", { "what%3F.txt": "x", "fine.txt": "x" }, false);
  await page.goto(`/${model}/versions/1.0.0`);
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("Some systems can't store these names:");
  await expect(dialog.getByRole("listitem")).toHaveText(["what?.txt: Windows doesn't allow '?' in names"]);
});
