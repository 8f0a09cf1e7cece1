// The palette and the keys that work everywhere.

import { expect, holdBack, test, unique, violations } from "./fixtures";

test("a few letters and Enter lead to a model, a version, an alias, a candidate or a page", async ({ page, api }) => {
  const project = await api.project();
  const name = unique("finder");
  const model = await api.model(project, name);
  await api.version(model, "1.2.0", { "model.onnx": "weights" });
  await api.version(model, "1.3.0", { "model.onnx": "better" });
  await api.alias(model, "champion", "1.2.0");
  await api.candidate(model, "calm-heron", 0.91, "0.1");
  await page.goto("/");
  const field = page.getByRole("combobox", { name: /^Find/ });
  const find = async (text: string, title: string) => {
    await page.keyboard.press("Control+k");
    await expect(field).toBeFocused();
    await field.fill(text);
    const hit = page.getByRole("option").filter({ hasText: title }).first();
    await expect(hit).toBeVisible();
    while ((await hit.getAttribute("aria-selected")) !== "true") await page.keyboard.press("ArrowDown");
    await expect(field).toHaveAttribute("aria-activedescendant", (await hit.getAttribute("id")) ?? "");
    await page.keyboard.press("Enter");
    await expect(field).toBeHidden();
  };

  await find(name.slice(0, 12), model);
  await expect(page).toHaveURL(new RegExp(`/${model}$`));
  await find(`${name}@1.3`, `${model}@1.3.0`);
  await expect(page).toHaveURL(/versions\/1\.3\.0$/);
  await find(`${model}@champ`, `${model}@champion`);
  await expect(page).toHaveURL(/versions\/1\.2\.0$/);
  await find(`${name}#1`, "calm-heron");
  await expect(page).toHaveURL(/candidates\/1$/);
  await find("access tok", "Access tokens");
  await expect(page).toHaveURL(/settings\/tokens$/);

  await test.step("what is not there is said, and nobody is shown what is hidden", async () => {
    await page.keyboard.press("Control+k");
    await field.fill(unique("nothing"));
    await expect(page.getByText("No results.")).toBeVisible();
    await field.fill(name);
    await expect(page.getByRole("option").filter({ hasText: model })).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect(field).toBeHidden();
  });
});

test("strangers find what is public only", async ({ stranger, api }) => {
  const name = unique("finder");
  const hidden = await api.model(await api.project(), name);
  const shown = await api.model(await api.project("PUBLIC"), name);
  const page = await stranger();
  await page.goto(`/${shown}`);
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByRole("combobox", { name: /^Find/ }).fill(name);
  await expect(page.getByRole("option").filter({ hasText: shown })).toBeVisible();
  await expect(page.getByRole("option").filter({ hasText: hidden })).toHaveCount(0);
  await expect(page.getByRole("option").filter({ hasText: "Access tokens" })).toHaveCount(0);
});

test("keys: a sheet of them, the search of a list, and none while somebody types", async ({ page, api }) => {
  const project = await api.project();
  await api.model(project, "ocr");
  await page.goto(`/${project}`);
  await expect(page.getByRole("link", { name: "ocr" })).toBeVisible();
  await page.keyboard.press("?");
  await expect(page.getByRole("heading", { name: "Keyboard" })).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("Escape");
  // Not only hidden: "/" waits for the sheet to have gone.
  await expect(page.getByRole("heading", { name: "Keyboard" })).toHaveCount(0);
  await page.keyboard.press("/");
  const search = page.getByRole("searchbox");
  await expect(search).toBeFocused();
  await page.keyboard.type("o/?");
  await expect(search).toHaveValue("o/?");
  await expect(page.getByRole("heading", { name: "Keyboard" })).toBeHidden();
});

test("keys that are pressed before the program has started are not lost", async ({ page, api }) => {
  const project = await api.project();
  await api.model(project, "ocr");
  for (const [key, opened] of [
    ["Control+k", page.getByRole("combobox", { name: /^Find/ })],
    ["?", page.getByRole("heading", { name: "Keyboard" })],
  ] as const) {
    const release = await holdBack(page, /model-registry-ui-[^/]*\.wasm$/);
    await page.goto(`/${project}`, { waitUntil: "commit" });
    await page.waitForFunction(() => "takeEarlyKeys" in window);
    await page.keyboard.press(key);
    release();
    await expect(opened).toBeVisible();
    // Done once: the next press is the next.
    await page.keyboard.press("Escape");
    await expect(opened).toHaveCount(0);
  }
});

test("what is opened again while it is being closed stays open", async ({ page }) => {
  await page.goto("/");
  const field = page.getByRole("combobox", { name: /^Find/ });
  await page.keyboard.press("Control+k");
  await expect(field).toBeFocused();
  // All in one task, so that the browser has no time to say that the dialog was closed: it says so afterwards.
  const closed = await page.evaluate(async () => {
    const press = () => window.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true }));
    const dialog = document.querySelector("dialog[open]") as HTMLDialogElement;
    const said = new Promise((resolve) => dialog.addEventListener("close", () => setTimeout(resolve), { once: true }));
    press();
    for (let turn = 0; dialog.open && turn < 1000; turn++) await Promise.resolve();
    const closed = !dialog.open;
    press();
    await said;
    return closed;
  });
  expect(closed, "it was closed in between").toBe(true);
  await expect(field).toBeVisible();
  // Closed by the browser itself, too.
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await expect(field).toBeFocused();
});
