// What is logged while somebody looks is seen at once, and only by who may see it.

import type { Page } from "@playwright/test";

import { type Api, expect, signIn, test } from "./fixtures";

const LOG = `mutation($input: UpdateCandidateInput!) { updateCandidate(input: $input) { candidate { number } } }`;

async function log(api: Api, model: string, candidate: number, step: number, value: number): Promise<void> {
  await api.graphql(LOG, { input: { model, candidate, metrics: [{ name: "loss", value, step }] } });
}

/** What comes over the sockets that a page opens, message by message. */
function heard(page: Page): string[] {
  const messages: string[] = [];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => messages.push(String(payload))));
  return messages;
}

async function running(api: Api, project: string): Promise<string> {
  const model = await api.model(project, "ocr");
  const create = "mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }";
  await api.graphql(create, { input: { model, name: "slow-crane" } });
  return model;
}

test("a run that goes on shows values and curve without a reload", async ({ page, api }) => {
  const model = await running(api, await api.project());
  await page.goto(`/${model}/candidates/1`);
  await expect(page.getByText("No metrics were logged.")).toBeVisible();
  await page.evaluate(() => Object.assign(window, { loadedOnce: true }));

  await log(api, model, 1, 1, 0.75);
  await expect(page.getByRole("row").filter({ hasText: "loss" })).toContainText("0.75");
  for (const step of [2, 3, 4]) await log(api, model, 1, step, 0.75 / step);
  const plot = page.getByRole("slider", { name: /^loss/ });
  await expect(plot).toBeVisible();
  await log(api, model, 1, 100, 0.125);
  await expect(page.locator(".chart-legend")).toContainText("Step 100");
  await expect(page.locator(".chart-legend")).toContainText("0.125");

  await test.step("the curve is read and zoomed by keys and pointer", async () => {
    await plot.focus();
    await page.keyboard.press("Home");
    await expect(plot).toHaveAttribute("aria-valuetext", "Step 1: slow-crane 0.75");
    await page.keyboard.press("ArrowRight");
    await expect(plot).toHaveAttribute("aria-valuetext", /^Step 2: slow-crane 0.375/);
    await page.keyboard.press("+");
    await expect(page.getByRole("button", { name: "Show all" })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("button", { name: "Show all" })).toBeHidden();
    await page.getByLabel("Smoothing").fill("0.9");
    await expect(page.locator(".chart-raw")).toHaveCount(1);
    await page.getByLabel("Log scale").check();
    await page.getByRole("button", { name: "Time", exact: true }).click();
    await expect(page.locator(".chart-legend")).toContainText("Time");
    await page.getByText("Values", { exact: true }).click();
    await expect(page.getByRole("region", { name: "Values" }).getByRole("row")).toHaveCount(6);
  });

  await api.graphql(LOG, { input: { model, candidate: 1, status: "FINISHED" } });
  await expect(page.getByText("Finished")).toBeVisible();
  expect(await page.evaluate(() => "loadedOnce" in window)).toBe(true);
});

test("the table of candidates goes on, too", async ({ page, api }) => {
  const model = await running(api, await api.project());
  await page.goto(`/${model}/candidates`);
  await expect(page.getByText("slow-crane")).toBeVisible();
  const box = page.getByRole("checkbox", { name: /slow-crane/ });
  await box.check();
  await log(api, model, 1, 1, 0.625);
  await expect(page.getByRole("row").filter({ hasText: "slow-crane" })).toContainText("0.625");
  await expect(box).toBeChecked();
  await api.graphql(LOG, { input: { model, candidate: 1, status: "FAILED" } });
  await expect(page.getByText("Failed")).toBeVisible();
});

test("an alias that somebody moves elsewhere moves here, too", async ({ page, api, stranger }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  for (const version of ["1.0.0", "1.1.0"]) await api.version(model, version);
  await api.alias(model, "champion", "1.0.0");
  const person = await api.person("reader");
  await api.member(project, person.username, "GUEST");
  const theirs = await stranger();
  await signIn(theirs, person);
  await theirs.goto(`/${model}`);
  const aliases = theirs.getByRole("list", { name: "Aliases" });
  await expect(aliases).toContainText("1.0.0");
  await theirs.evaluate(() => Object.assign(window, { loadedOnce: true }));

  await page.goto(`/${model}/versions/1.1.0`);
  await page.getByRole("button", { name: "Add or move alias" }).click();
  await page.getByLabel("Alias", { exact: true }).fill("champion");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(aliases).toContainText("1.1.0");
  expect(await theirs.evaluate(() => "loadedOnce" in window)).toBe(true);
});

test("who is removed gets nothing more", async ({ api, page, stranger }) => {
  const project = await api.project();
  const model = await running(api, project);
  const person = await api.person("guest");
  await api.member(project, person.username, "GUEST");
  const theirs = await stranger();
  await signIn(theirs, person);
  const told = heard(theirs);
  const items = () => told.filter((message) => message.includes('"next"')).length;
  await log(api, model, 1, 1, 0.5);
  await page.goto(`/${model}/candidates/1`);
  await theirs.goto(`/${model}/candidates/1`);
  for (const tab of [page, theirs]) {
    await expect(tab.getByRole("row").filter({ hasText: "loss" })).toContainText("0.5");
  }
  // Who begins to listen is told once what it is now.
  await expect.poll(items).toBe(1);

  await api.graphql("mutation($input: RemoveMemberInput!) { removeMember(input: $input) { member { id } } }", {
    input: { project, username: person.username },
  });
  await log(api, model, 1, 2, 0.25);
  // In place of what was changed they are told that there is nothing for them.
  await expect.poll(() => told.join()).toContain('"error"');
  await log(api, model, 1, 3, 0.125);
  await expect(page.getByRole("row").filter({ hasText: "loss" })).toContainText("0.125");
  expect(items()).toBe(1);
  await expect(theirs.getByText("0.25")).toBeHidden();
});
