// The metric that a model is judged by: chosen beside its card, or with a click on a column of its runs.

import { type Api, expect, signIn, test, violations } from "./fixtures";

async function furnish(api: Api, visibility = "PRIVATE"): Promise<string> {
  const model = await api.model(await api.project(visibility), "ocr");
  for (const [name, status, foo] of [["calm-heron", "FINISHED", 3], ["brisk-otter", "FINISHED", 1], ["shy-mole", "FAILED", 0]] as const) {
    const metrics = [{ name: "foo", value: foo }, { name: "accuracy", value: foo / 10 }];
    await api.graphql("mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }", {
      input: { model, name, status, metrics },
    });
  }
  return model;
}

test("a click on a column says which way is better, for the model", async ({ page, api }) => {
  const model = await furnish(api);
  await page.goto(`/${model}/candidates`);
  const column = page.getByRole("columnheader", { name: /^foo/ });
  const row = (name: string) => page.getByRole("row").filter({ hasText: name });
  const best = page.getByTitle("Best on this page");
  await expect(page.getByRole("columnheader", { name: /^accuracy/ })).toContainText("higher is better");
  await expect(best).toHaveCount(1);

  await column.getByRole("button", { name: "set direction" }).click();
  await expect(page.getByText("The model is judged by foo: lower is better.")).toBeVisible();
  await expect(row("brisk-otter").getByText("best")).toHaveCount(1);
  await expect(best).toHaveCount(2);
  expect(await violations(page)).toEqual([]);
  await column.getByRole("button", { name: "lower is better" }).click();
  await expect(row("calm-heron").getByText("best")).toHaveCount(2);
  await page.reload();
  await expect(column).toContainText("higher is better");
  await expect(row("calm-heron").getByText("best")).toHaveCount(2);
});

test("the metric stands beside the card, with its best run, and is changed there", async ({ page, api, stranger }) => {
  const model = await furnish(api, "PUBLIC");
  const other = await stranger();
  await other.goto(`/${model}`);
  await expect(other.getByRole("heading", { name: "Model card" })).toBeVisible();
  await expect(other.getByRole("heading", { name: "Metric", exact: true })).toHaveCount(0);

  await page.goto(`/${model}`);
  await page.getByRole("button", { name: "Choose a metric" }).click();
  await page.getByLabel("Metric", { exact: true }).fill("foo");
  await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
  await page.getByLabel("Direction").selectOption("Lower is better");
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Save" }).click();
  const panel = page.locator("section").filter({ has: page.getByRole("heading", { name: "Metric", exact: true }) });
  await expect(panel).toContainText("lower is better");
  await expect(panel).toContainText("Best: 1 by brisk-otter");

  await other.reload();
  const seen = other.locator("section").filter({ has: other.getByRole("heading", { name: "Metric", exact: true }) });
  await expect(seen).toContainText("Best: 1 by brisk-otter");
  await expect(seen.getByRole("button")).toHaveCount(0);
  await other.goto(`/${model}/candidates`);
  const column = other.getByRole("columnheader", { name: /^foo/ });
  await expect(column).toContainText("lower is better");
  await expect(column.getByRole("button")).toHaveCount(1);

  await panel.getByRole("button", { name: "Change" }).click();
  await panel.getByRole("button", { name: "Remove" }).click();
  await expect(panel).toContainText("Choose the metric that this model is judged by.");
});
