// Texts that are being edited: what was typed is not lost by a click, a reload or a session that ends.

import { type Page } from "@playwright/test";

import { type Api, expect, signIn, test, violations } from "./fixtures";

const editor = (page: Page) => page.locator("textarea#description");
const edit = (page: Page) => page.getByRole("button", { name: "Edit", exact: true });
const offer = (page: Page) => page.getByText(/You have unsaved changes from \d\d:\d\d\./);
const question = (page: Page) => page.getByRole("dialog", { name: "Leave this page?" });
const stored = (page: Page) =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("draft ")).length);

async function furnish(api: Api): Promise<string> {
  const model = await api.model(await api.project(), "ocr", "Reads receipts.");
  await api.version(model, "1.0.0", { "w.bin": "w" });
  return model;
}

test("whoever leaves an edited card is asked, and finds the text again", async ({ page, api }) => {
  const model = await furnish(api);
  await page.goto(`/${model}`);
  await edit(page).click();
  const versions = page.getByRole("navigation", { name: "Model" }).getByRole("link", { name: "Versions" });

  // Nothing was changed: nobody is asked.
  await versions.click();
  await expect(page).toHaveURL(`/${model}/versions`);
  await page.getByRole("link", { name: "Card", exact: true }).click();

  await edit(page).click();
  await editor(page).fill("Reads receipts and invoices.");
  await versions.click();
  await expect(question(page)).toContainText("This browser keeps them as a draft");
  expect(await violations(page)).toEqual([]);
  await question(page).getByRole("button", { name: "Cancel" }).click();
  await expect(question(page)).toBeHidden();
  await expect(editor(page)).toHaveValue("Reads receipts and invoices.");
  await expect(page).toHaveURL(`/${model}`);

  await versions.click();
  await question(page).getByRole("button", { name: "Leave page" }).click();
  await expect(page).toHaveURL(`/${model}/versions`);

  // It is offered where the same text is edited, too.
  await page.goto(`/${model}/-/edit`);
  await expect(offer(page)).toBeVisible();
  await page.goto(`/${model}`);
  await expect(offer(page)).toBeVisible();
  await expect(page.getByText("Reads receipts.", { exact: true })).toBeVisible();
  await expect(edit(page)).toBeHidden();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Continue editing" }).click();
  await expect(editor(page)).toHaveValue("Reads receipts and invoices.");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Reads receipts and invoices.")).toBeVisible();
  expect(await stored(page)).toBe(0);
  await versions.click();
  await expect(page).toHaveURL(`/${model}/versions`);
});

test("a reload is asked about, and keeps what was typed until it is discarded", async ({ page, api }) => {
  const model = await furnish(api);
  await page.goto(`/${model}/versions/1.0.0`);
  await edit(page).click();
  await editor(page).fill("Better at night.");
  await expect.poll(() => stored(page)).toBe(1);
  const asked = page.waitForEvent("dialog");
  await page.close({ runBeforeUnload: true });
  const dialog = await asked;
  expect(dialog.type()).toBe("beforeunload");
  await dialog.dismiss();
  await expect(editor(page)).toHaveValue("Better at night.");

  page.once("dialog", (dialog) => dialog.accept());
  await page.reload();
  await expect(offer(page)).toBeVisible();
  // Somebody else has written something meanwhile.
  await api.graphql("mutation($input: UpdateModelVersionInput!) { updateModelVersion(input: $input) { modelVersion { id } } }", {
    input: { model, version: "1.0.0", description: "Theirs." },
  });
  await page.reload();
  await expect(page.getByText("The text has been changed since then.")).toBeVisible();
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(offer(page)).toBeHidden();
  expect(await stored(page)).toBe(0);
  await edit(page).click();
  await expect(editor(page)).toHaveValue("Theirs.");

  // Cancelling is taken back like a deletion.
  await editor(page).fill("Mine.");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("button", { name: "Continue editing" }).click();
  await expect(editor(page)).toHaveValue("Mine.");
});

test("a session that ends takes no text along, and signing out leaves none", async ({ api, stranger }) => {
  const writer = await api.person("writer");
  const model = await furnish(api);
  await api.member(model.split("/")[0], writer.username, "DEVELOPER");
  const page = await stranger();
  await signIn(page, writer);
  await page.goto(`/${model}/-/edit`);
  await editor(page).fill("Written in a session that ended.");
  await expect.poll(() => stored(page)).toBe(1);
  await page.context().clearCookies();
  await page.getByRole("link", { name: "Versions" }).click();
  await question(page).getByRole("button", { name: "Leave page" }).click();
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  await expect(offer(page)).toBeHidden();

  await signIn(page, writer);
  await page.goto(`/${model}`);
  await page.getByRole("button", { name: "Continue editing" }).click();
  await expect(editor(page)).toHaveValue("Written in a session that ended.");

  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  const dialog = page.getByRole("dialog", { name: "Sign out?" });
  await expect(dialog).toContainText("This browser keeps 1 text that you have not saved.");
  await dialog.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/sign-in");
  expect(await stored(page)).toBe(0);
});

test("an editor works where the browser's storage is full, and says what that means", async ({ page, api }) => {
  const model = await furnish(api);
  await page.addInitScript(() => {
    const set = Storage.prototype.setItem;
    Storage.prototype.setItem = function (key: string, value: string) {
      if (key.startsWith("draft ")) throw new DOMException("full", "QuotaExceededError");
      set.call(this, key, value);
    };
  });
  await page.goto(`/${model}/versions/new`);
  await page.getByLabel("Release notes").fill("A text that nothing keeps.");
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(question(page)).toContainText("they will be lost");
  await question(page).getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Create version" }).click();
  await expect(page.getByText("A text that nothing keeps.")).toBeVisible();
});

test("the palette and the way back ask, too", async ({ page, api, isMobile }) => {
  test.skip(isMobile, "A phone has no keyboard.");
  const model = await furnish(api);
  await page.goto(`/${model}/versions`);
  await page.getByRole("link", { name: "Card", exact: true }).click();
  await edit(page).click();
  await editor(page).fill("Half a sentence");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /^Find/ }).fill("Access tokens");
  await expect(page.getByRole("option").first()).toContainText("Access tokens");
  await page.keyboard.press("Enter");
  await question(page).getByRole("button", { name: "Cancel" }).click();
  await expect(editor(page)).toHaveValue("Half a sentence");

  await page.evaluate(() => history.back());
  await question(page).getByRole("button", { name: "Leave page" }).click();
  await expect(page).toHaveURL(`/${model}/versions`);
});
