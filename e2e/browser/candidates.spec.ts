// Training runs: found by what they measured, compared, and the best one promoted.

import { expect, test } from "./fixtures";

test("candidates are filtered, sorted, compared, and the best is promoted", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await api.version(model, "1.1.0", { "model.onnx": "old" });
  await api.candidate(model, "calm-heron", 0.91, "0.1");
  await api.candidate(model, "brisk-otter", 0.97, "0.01");
  await api.candidate(model, "keen-lynx", 0.88, "0.01");
  await api.put(`${model}/candidate:2/onnx/model.onnx`, "weights");
  await page.goto(`/${model}/candidates`);

  await test.step("filter: what is wrong is said, what is right is kept in the address", async () => {
    await page.getByRole("searchbox").fill("metrics.accuracy >");
    await expect(page.locator("#filter-problem")).toContainText(/\S/);
    await page.getByRole("searchbox").fill("metrics.accuracy > 0.9 and status = 'FINISHED'");
    await expect(page.getByText("keen-lynx")).toBeHidden();
    await expect(page.getByText("calm-heron")).toBeVisible();
    await expect(page.locator("#filter-problem")).toBeEmpty();
    await page.reload();
    await expect(page.getByText("brisk-otter")).toBeVisible();
    await expect(page.getByText("keen-lynx")).toBeHidden();
  });

  await test.step("sort by a metric", async () => {
    await page.goto(`/${model}/candidates`);
    await page.getByRole("button", { name: "accuracy" }).click();
    await expect(page).toHaveURL(/sort=/);
    await expect(page.getByRole("row").filter({ hasText: "0.97" })).toBeVisible();
    const names = page.getByRole("row").filter({ hasText: /-/ });
    await expect(names.nth(0)).toContainText("brisk-otter");
  });

  await test.step("compare two", async () => {
    const boxes = page.getByRole("checkbox", { name: /^Select / });
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.getByRole("link", { name: "Compare" }).click();
    await expect(page.getByRole("heading", { name: "Compare candidates" })).toBeVisible();
    await expect(page.getByRole("columnheader", { name: /brisk-otter/ }).first()).toBeVisible();
  });

  await test.step("look at the best: its curve, its files; promote it to the next minor version", async () => {
    await page.goto(`/${model}/candidates/2`);
    await expect(page).toHaveTitle(/Candidate 2 of/);
    await expect(page.locator(".chart-plot").first()).toBeVisible();
    await page.getByRole("button", { name: "Promote" }).click();
    await page.getByRole("button", { name: /Minor/ }).click();
    await expect(page.getByLabel("Version")).toHaveValue("1.2.0");
    await page.getByRole("button", { name: "Promote and publish" }).click();
    await expect(page).toHaveURL(/versions\/1\.2\.0/);
    await expect(page.getByText(/brisk-otter/).first()).toBeVisible();
    await expect(page.getByText("0.97").first()).toBeVisible();
    expect((await api.get(`${model}/latest/onnx/model.onnx`)).toString()).toBe("weights");
  });
});

test("an alias is rolled back to where it was", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  for (const version of ["1.0.0", "1.1.0"]) {
    await api.version(model, version, { "model.onnx": version });
    await api.alias(model, "champion", version);
  }
  await page.goto(`/${model}`);
  await page.getByRole("button", { name: "Actions for champion" }).click();
  await page.getByRole("button", { name: "History" }).click();
  await page.getByRole("button", { name: "Move back" }).first().click();
  await expect(page.getByText("again.")).toBeVisible();
  expect((await api.get(`${model}/@champion/model.onnx`)).toString()).toBe("1.0.0");
});
