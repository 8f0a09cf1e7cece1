// Whether a version should still be used: one is yanked with its reason, passed over, and used again.

import { expect, signIn, test, violations } from "./fixtures";

test("a version is yanked, passed over, shown to who asks, and used again", async ({ page, api, stranger }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  for (const version of ["1.0.0", "1.1.0"]) await api.version(model, version, { "model.onnx": version });
  const ask = "query($path: String!) { model(path: $path) { latestVersion { version } } }";
  const latest = async () => (await api.graphql(ask, { path: model })).model.latestVersion.version;
  const newer = `/${model}/versions/1.1.0`;
  const banner = page.getByRole("note");
  const choose = async (item: string) => {
    await page.getByRole("button", { name: "More actions for this version" }).click();
    await page.getByRole("button", { name: item }).click();
  };

  await test.step("it takes a reason, and a successor that is there", async () => {
    await page.goto(newer);
    await expect(page.getByText("Last fetched")).toBeVisible();
    await expect(banner).toHaveCount(0);
    await choose("Yank…");
    const dialog = page.getByRole("dialog", { name: "Yank 1.1.0" });
    const yank = dialog.getByRole("button", { name: "Yank version" });
    await expect(yank).toBeDisabled();
    await dialog.getByLabel("Reason").fill("The labels were wrong.");
    await dialog.getByLabel("Use instead").fill("9.9.9");
    await yank.click();
    await expect(page.locator("#successor-note")).toContainText("version");
    expect(await violations(page)).toEqual([]);
    await dialog.getByLabel("Use instead").fill("1.0.0");
    await yank.click();
    await expect(page.getByText("1.1.0 is yanked.")).toBeVisible();
    await expect(banner).toContainText("This version is yanked");
    await expect(banner).toContainText("The labels were wrong.");
    await expect(page.getByRole("button", { name: "Add or move alias" })).toHaveCount(0);
    expect(await violations(page)).toEqual([]);
    expect(await latest()).toBe("1.0.0");
    await banner.getByRole("link", { name: "1.0.0" }).click();
    await expect(page).toHaveURL(`/${model}/versions/1.0.0`);
    await expect(banner).toHaveCount(0);
  });

  await test.step("the list is without it until it is asked for", async () => {
    await page.goto(`/${model}/versions`);
    const names = page.locator("tbody").getByRole("link");
    await expect(names).toHaveText(["1.0.0"]);
    await expect(page.getByRole("row", { name: /1\.0\.0/ })).toContainText("Latest");
    await page.getByRole("checkbox", { name: "Show yanked" }).check();
    await expect(names).toHaveText(["1.1.0", "1.0.0"]);
    await expect(page).toHaveURL(/yanked=true/);
    await expect(page.getByRole("row", { name: /1\.1\.0/ })).toContainText("Yanked");
    expect(await violations(page)).toEqual([]);
  });

  await test.step("a reader is told, and changes nothing", async () => {
    const guest = await api.person("guest");
    await api.member(project, guest.username, "GUEST");
    const theirs = await stranger();
    await signIn(theirs, guest);
    await theirs.goto(newer);
    await expect(theirs.getByRole("note")).toContainText("The labels were wrong.");
    await expect(theirs.getByRole("button", { name: "More actions for this version" })).toHaveCount(0);
  });

  await test.step("a model of which all are yanked says so", async () => {
    const yank = "mutation($input: YankModelVersionInput!) { yankModelVersion(input: $input) { modelVersion { id } } }";
    const other = await api.model(project, "other");
    await api.version(other, "1.0.0", { "model.onnx": "weights" });
    await api.graphql(yank, { input: { model: other, version: "1.0.0", reason: "The labels were wrong." } });
    await page.goto(`/${other}`);
    await expect(page.getByText("All versions are yanked")).toBeVisible();
    await page.getByRole("link", { name: "Show yanked" }).click();
    await expect(page.locator("tbody").getByRole("link")).toHaveText(["1.0.0"]);
  });

  await test.step("it is used again, and deprecated for a moment", async () => {
    await page.goto(newer);
    await choose("Reactivate");
    await expect(page.getByText("1.1.0 is active again.")).toBeVisible();
    await expect(banner).toHaveCount(0);
    expect(await latest()).toBe("1.1.0");
    await choose("Deprecate…");
    await page.getByRole("dialog").getByRole("button", { name: "Deprecate version" }).click();
    await expect(banner).toContainText("It still works");
    expect(await latest()).toBe("1.1.0");
    const toast = page.locator(".toast-card", { hasText: "1.1.0 is deprecated." });
    await toast.getByRole("button", { name: "Undo" }).click();
    await expect(banner).toHaveCount(0);
  });
});
