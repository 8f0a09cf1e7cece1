// Who may do what: people are invited, become members, do what their role allows and see nothing else.

import { readFileSync } from "node:fs";

import { type Page } from "@playwright/test";

import { expect, signIn, test, unique } from "./fixtures";

/** The links of a navigation that are shown. */
function tab(page: Page, navigation: string, name: string | RegExp) {
  return page.getByRole("navigation", { name: navigation }).getByRole("link", { name });
}

/** Answers the question in the open dialog with yes. */
async function confirm(page: Page, button: string): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name: button }).click();
}

/** Invites somebody; returns the one-time link that the page shows. */
async function invite(page: Page, username: string): Promise<string> {
  await page.goto("/admin/users");
  await page.getByRole("button", { name: "Invite a user" }).click();
  const dialog = page.getByRole("dialog", { name: "Invite a user" });
  await dialog.getByLabel("Username").fill(username);
  await dialog.getByRole("button", { name: "Invite", exact: true }).click();
  const link = await page.getByTestId("invitation-link").innerText();
  expect(link).toMatch(/^http.*\/invitation#mri_/);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: username })).toContainText("Invited");
  return link;
}

async function block(page: Page, username: string): Promise<void> {
  await page.goto(`/admin/users?q=${username}`);
  await page.getByRole("button", { name: `Actions for ${username}` }).click();
  await page.getByRole("button", { name: "Block" }).click();
  await confirm(page, "Block");
  await expect(page.getByText(`${username} is blocked.`)).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: username })).toContainText("Blocked");
}

test("an invited person joins a project, publishes, and is blocked", async ({ page, api, stranger }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  const username = unique("ada");
  const ada = await stranger();

  const link = await test.step("an administrator invites them", () => invite(page, username));

  await test.step("they choose a password and are signed in; the link works once", async () => {
    await ada.goto(link);
    await expect(ada.getByText(username)).toBeVisible();
    await ada.getByLabel("Name (optional)").fill("Ada Lovelace");
    await ada.getByLabel("New password", { exact: true }).fill("too short");
    await expect(ada.getByText("at least 12 characters")).toBeVisible();
    await ada.getByLabel("New password", { exact: true }).fill("tall ships need deep water");
    await ada.getByLabel("Repeat the new password").fill("tall ships need deep wate");
    await expect(ada.getByText("passwords don't match")).toBeVisible();
    await ada.getByLabel("Repeat the new password").fill("tall ships need deep water");
    await ada.getByRole("button", { name: "Set password and sign in" }).click();
    await expect(ada).toHaveURL("/");
    await expect(ada.getByRole("button", { name: "Account" })).toBeVisible();
    await ada.goto(link);
    await expect(ada.getByText("no longer works")).toBeVisible();
    await ada.goto(`/${project}`);
    await expect(ada.getByText("Not found")).toBeVisible();
  });

  await test.step("a maintainer makes them a developer", async () => {
    await page.goto(`/${project}/-/members`);
    await page.getByLabel("Username").fill(username.slice(0, -2));
    await expect(page.locator(`datalist option[value="${username}"]`)).toBeAttached();
    await page.getByLabel("Username").fill(username);
    await page.getByRole("button", { name: "Add member" }).click();
    const line = page.getByRole("list", { name: "Members" }).getByRole("listitem").filter({ hasText: username });
    await expect(line.getByRole("combobox")).toHaveValue("developer");
  });

  await test.step("they publish, and see nothing of what takes more", async () => {
    await ada.goto(`/${project}`);
    await expect(tab(ada, "Project", "Trash")).toBeVisible();
    await expect(tab(ada, "Project", "Settings")).toBeHidden();
    await expect(tab(ada, "Project", "Access tokens")).toBeHidden();
    await ada.goto(`/${project}/-/edit`);
    await expect(ada.getByText("Not allowed")).toBeVisible();
    await ada.goto(`/${project}/-/members`);
    await expect(ada.getByRole("button", { name: "Add member" })).toBeHidden();
    await expect(ada.getByRole("button", { name: "Leave the project" })).toBeVisible();
    await ada.goto(`/${model}/versions/new`);
    await ada.getByLabel("Version").fill("1.0.0");
    await ada.getByRole("button", { name: "Create version" }).click();
    await expect(ada).toHaveURL(/versions\/1\.0\.0/);
    await ada.getByTestId("pick-files").setInputFiles([
      { name: "model.onnx", mimeType: "application/octet-stream", buffer: Buffer.from("weights") },
    ]);
    await expect(ada.getByRole("button", { name: "Delete model.onnx" })).toBeVisible();
    await ada.getByRole("button", { name: "Publish", exact: true }).click();
    await confirm(ada, "Publish version");
    await expect(ada.getByText("1.0.0 has been published.")).toBeVisible();
  });

  await test.step("as a guest they see no control", async () => {
    await page.getByRole("combobox", { name: "Role of Ada Lovelace" }).selectOption("guest");
    await expect(page.getByText(`${username} is now Guest.`)).toBeVisible();
    await ada.goto(`/${model}/versions/1.0.0`);
    await expect(ada.getByRole("heading", { name: "1.0.0" })).toBeVisible();
    for (const name of ["More actions for this version", "Add or move alias", "Add tag", "Edit"]) {
      await expect(ada.getByRole("button", { name, exact: true }), name).toBeHidden();
    }
    await ada.goto(`/${model}`);
    await expect(tab(ada, "Model", /^Versions/)).toBeVisible();
    await expect(tab(ada, "Model", "Edit")).toBeHidden();
    await expect(ada.getByRole("link", { name: "New version" })).toBeHidden();
  });

  await test.step("blocked, their next click finds them signed out", async () => {
    await block(page, username);
    // Their page may have heard of it by itself, and offer another way.
    await tab(ada, "Model", /^Runs/).or(ada.getByRole("link", { name: "All projects" })).click();
    await expect(ada.getByRole("link", { name: "Sign in" }).first()).toBeVisible();
    await expect(ada.getByRole("button", { name: "Account" })).toBeHidden();
  });
});

test("a protected alias is moved by maintainers only, and the log says who tried", async ({ page, api, stranger }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  for (const version of ["1.0.0", "1.1.0"]) await api.version(model, version, { "model.onnx": version });
  await api.alias(model, "production", "1.0.0");
  const dev = await api.person("dev");
  await api.member(project, dev.username, "DEVELOPER");
  const browser = await stranger();
  await signIn(browser, dev);

  await test.step("an owner protects it", async () => {
    await page.goto(`/${project}/-/edit`);
    await page.getByLabel("Alias or pattern").fill("prod*");
    await page.getByRole("button", { name: "Protect", exact: true }).click();
    await expect(page.getByRole("button", { name: "Stop protecting prod*" })).toBeVisible();
  });

  await test.step("a developer sees that, and cannot move it", async () => {
    await browser.goto(`/${model}`);
    await expect(browser.getByTitle("Protected: only maintainers can move this alias").first()).toBeVisible();
    await browser.getByRole("button", { name: "Actions for production" }).click();
    await expect(browser.getByRole("button", { name: "History" })).toBeVisible();
    await expect(browser.getByRole("button", { name: "Remove", exact: true })).toBeHidden();
    await browser.goto(`/${model}/versions/1.1.0`);
    await browser.getByRole("button", { name: "Add or move alias" }).click();
    await browser.getByLabel("Alias", { exact: true }).fill("production");
    await browser.getByRole("button", { name: "Save", exact: true }).click();
    await expect(browser.getByRole("alert")).toContainText("“production” is protected. Ask a maintainer of this project to move it.");
    expect((await api.get(`${model}/@production/model.onnx`)).toString()).toBe("1.0.0");
  });

  await test.step("the log shows the refusal, and exports it as JSON lines", async () => {
    await page.goto(`/${project}/-/audit`);
    await page.getByRole("combobox", { name: "Outcome" }).selectOption("true");
    await expect(page).toHaveURL(/refused=true/);
    const row = page.getByRole("row").filter({ hasText: `tried to move alias production of ${model} to 1.1.0, which was refused: no permission` });
    // What was set before stays in the list until the filtered one is there.
    await expect(row).toHaveCount(1);
    await expect(row).toContainText("Refused");
    await expect(row).toContainText(dev.username);
    await expect(row.getByRole("link", { name: "1.1.0" })).toHaveAttribute("href", `/${model}/versions/1.1.0`);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Export as JSON lines" }).click(),
    ]);
    const lines = readFileSync(await download.path(), "utf8").trim().split("\n");
    const events = lines.map((line) => JSON.parse(line));
    expect(events.map((event) => event.action)).toContain("alias.set");
    expect(events.every((event) => event.refused)).toBe(true);
  });

  await test.step("an administrator redacts the value of a tag", async () => {
    await api.tag(model, "note", "hunter2");
    await page.goto(`/${project}/-/audit?action=tag.set`);
    const row = page.getByRole("row").filter({ hasText: "set tag note of" });
    await expect(row).toContainText("to “hunter2”");
    await row.getByRole("button", { name: "Redact value…" }).click();
    await expect(page.getByRole("dialog")).toContainText("The redaction itself is logged");
    await confirm(page, "Redact value");
    await expect(row).toContainText("to “[redacted]”");
    await expect(row.getByRole("button", { name: "Redact value…" })).toBeHidden();
    await page.goto(`/${project}/-/audit`);
    await expect(page.getByRole("row").filter({ hasText: "redacted the value of a tag of" })).toHaveCount(1);
  });

  await test.step("developers see what was done, not who was refused", async () => {
    await browser.goto(`/${project}/-/audit?action=tag.set`);
    await expect(browser.getByRole("row").filter({ hasText: "set tag note of" })).toHaveCount(1);
    await expect(browser.getByText("hunter2")).toBeHidden();
    await expect(browser.getByRole("button", { name: "Redact value…" })).toBeHidden();
    await browser.goto(`/${project}/-/audit`);
    await expect(browser.getByRole("row").filter({ hasText: "published version 1.1.0 of" }).first()).toBeVisible();
    await expect(browser.getByText("Refused")).toBeHidden();
    await expect(browser.getByRole("link", { name: "Export as JSON lines" })).toBeHidden();
  });
});

test("a project token made in the browser uploads, and works no more once it is revoked", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await api.version(model, "1.0.0", {}, false);
  await page.goto(`/${project}/-/tokens`);
  // Not that of embed tokens.
  const form = page.locator("form").filter({ hasText: "New token" });
  await form.getByLabel("Name").fill("ci");
  await form.getByLabel("Role").selectOption("developer");
  // Without a limit of the operator's.
  const ends = ["In 7 days", "In 30 days", "In 90 days", "In a year", "Never"];
  await expect(form.getByLabel("Expires").getByRole("option")).toHaveText(ends);
  await form.getByLabel("Expires").selectOption("30");
  await page.getByRole("button", { name: "Create token" }).click();
  const secret = await page.getByTestId("token-secret").innerText();
  expect(secret).toMatch(/^mrt_/);
  const put = (name: string) =>
    fetch(`${process.env.MODEL_REGISTRY_URL}/files/${model}/1.0.0/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${secret}` },
      body: "weights",
    });
  expect((await put("model.onnx")).ok).toBe(true);
  expect((await api.get(`${model}/1.0.0/model.onnx`)).toString()).toBe("weights");
  const line = page.getByRole("listitem").filter({ hasText: "ci" });
  await expect(line).toContainText("expires on");
  await line.getByRole("button", { name: "Revoke" }).click();
  await confirm(page, "Revoke token");
  await expect(page.getByText("revoked.")).toBeVisible();
  expect((await put("other.onnx")).status).toBe(401);
});

test("anybody reads a public project, and is led to sign in for more", async ({ api, stranger }) => {
  const [open, closed] = [await api.project("PUBLIC"), await api.project()];
  const model = await api.model(open, "ocr", "# Reads print");
  await api.version(model, "1.0.0", { "model.onnx": "weights" });
  await api.alias(model, "champion", "1.0.0");
  const visitor = await stranger();
  await visitor.goto(`/?q=${open}`);
  await expect(visitor.getByRole("link", { name: "New project" })).toBeHidden();
  await visitor.getByRole("link", { name: open }).click();
  await expect(tab(visitor, "Project", "Members")).toBeHidden();
  await expect(visitor.getByRole("link", { name: "New model" })).toBeHidden();
  await visitor.getByRole("link", { name: "ocr", exact: true }).click();
  await expect(visitor.getByRole("heading", { name: "Reads print" })).toBeVisible();
  await expect(visitor.getByRole("button", { name: "Add tag" })).toBeHidden();
  await expect(tab(visitor, "Model", "Edit")).toBeHidden();
  await visitor.goto(`/${model}/versions/1.0.0`);
  const [download] = await Promise.all([
    visitor.waitForEvent("download"),
    visitor.getByRole("link", { name: /Download .*model\.onnx/ }).click(),
  ]);
  expect(readFileSync(await download.path(), "utf8")).toBe("weights");

  await visitor.goto(`/${closed}`);
  await expect(visitor.getByText("Not found")).toBeVisible();
  const person = await api.person("eve");
  await api.member(closed, person.username, "GUEST");
  await visitor.getByRole("alert").getByRole("link", { name: "Sign in" }).click();
  await expect(visitor).toHaveURL(`/sign-in?next=%2F${closed}`);
  await visitor.getByLabel("Username").fill(person.username);
  await visitor.getByLabel("Password").fill(person.password);
  await visitor.getByRole("button", { name: "Sign in" }).click();
  await expect(visitor).toHaveURL(`/${closed}`);
  await expect(visitor.getByText("No models yet")).toBeVisible();
});

test("a person ends a session elsewhere, and changes name and password", async ({ api, stranger }) => {
  const person = await api.person("eve");
  const [here, there] = [await stranger(), await stranger()];
  await signIn(here, person);
  await signIn(there, person);

  await test.step("end the other session", async () => {
    await here.goto("/settings/sessions");
    const others = here.getByRole("listitem").filter({ hasText: "Signed in" }).filter({ hasNotText: "This browser" });
    // Accepting the invitation began one, too.
    await expect(others).toHaveCount(2);
    await others.first().getByRole("button", { name: /^Sign out/ }).click();
    await confirm(here, "Sign out");
    await expect(others).toHaveCount(1);
    await there.getByRole("link", { name: "New project" }).first().click();
    await expect(there).toHaveURL(/sign-in/);
  });

  await test.step("another name", async () => {
    await here.goto("/settings/account");
    await here.getByLabel(/^Name/).fill("Eve of Elsewhere");
    await here.getByRole("button", { name: "Save" }).click();
    await expect(here.getByText("Name saved.")).toBeVisible();
    await here.getByRole("button", { name: "Account" }).click();
    await expect(here.getByText("Eve of Elsewhere")).toBeVisible();
    await here.keyboard.press("Escape");
  });

  await test.step("another password, which ends every other session", async () => {
    await signIn(there, person);
    await here.getByLabel("Current password").fill("wrong");
    await here.getByLabel("New password", { exact: true }).fill("the sea is calm tonight");
    await here.getByLabel("Repeat the new password").fill("the sea is calm tonight");
    await here.getByRole("button", { name: "Change password" }).click();
    await expect(here.locator("form").filter({ hasText: "Current password" })).toContainText("Incorrect password.");
    await here.getByLabel("Current password").fill(person.password);
    await here.getByRole("button", { name: "Change password" }).click();
    await expect(here.getByText("Password changed.")).toBeVisible();
    await here.goto("/settings/sessions");
    await expect(here.getByText("This browser")).toBeVisible();
    await there.getByRole("link", { name: "New project" }).first().click();
    await expect(there).toHaveURL(/sign-in/);
  });
});

test("a project moves, and what is in its trash goes for good", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  for (const version of ["1.0.0", "1.1.0", "1.2.0"]) {
    await api.version(model, version, version === "1.1.0" ? { "model.onnx": `weights of ${project}` } : {});
    await api.bury(model, version);
  }
  await page.goto(`/${project}/-/trash`);
  await page.getByRole("button", { name: "Permanently delete ocr 1.1.0" }).click();
  await expect(page.getByRole("dialog")).toContainText("can't be undone");
  await expect(page.getByRole("dialog")).toContainText(`Frees up to ${`weights of ${project}`.length} B.`);
  await confirm(page, "Permanently delete");
  await expect(page.getByRole("list", { name: "Deleted" }).getByRole("listitem")).toHaveCount(2);
  await page.getByRole("button", { name: "Empty trash" }).click();
  await confirm(page, "Permanently delete");
  await expect(page.getByText("The trash is empty")).toBeVisible();

  const moved = unique("moved");
  await page.goto(`/${project}/-/edit`);
  await page.getByLabel("Path").fill(moved);
  await page.getByRole("button", { name: "Change path" }).click();
  await expect(page).toHaveURL(`/${moved}/-/edit`);
  await page.goto(`/${moved}/ocr`);
  await expect(page.getByRole("heading", { name: "ocr", exact: true })).toBeVisible();
});
