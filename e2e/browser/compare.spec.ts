// Versions and training runs side by side: what differs in values, files and notes, while they go on, too.

import { type Page } from "@playwright/test";

import { type Api, expect, test, violations } from "./fixtures";

const CREATE = "mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number runId } } }";
const UPDATE = "mutation($input: UpdateCandidateInput!) { updateCandidate(input: $input) { candidate { number } } }";

/** A running candidate with what is logged at its start. */
async function begin(api: Api, model: string, name: string, params: Record<string, string>): Promise<number> {
  const list = Object.entries(params).map(([name, value]) => ({ name, value }));
  const made = await api.graphql(CREATE, { input: { model, name, params: list } });
  return made.createCandidate.candidate.number;
}

async function log(api: Api, model: string, candidate: number, metrics: object[], more: object = {}): Promise<void> {
  await api.graphql(UPDATE, { input: { model, candidate, metrics, ...more } });
}

const panel = (page: Page, heading: string) =>
  page.locator("section").filter({ has: page.getByRole("heading", { name: heading, exact: true }) });

const row = (page: Page, name: string) => page.getByRole("region", { name: "Comparison" }).getByRole("row").filter({ hasText: name });

test("candidates stand side by side: what is best, what differs, and the best one is promoted", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.1.0", { "model.onnx": "old" });
  await api.candidate(model, "calm-heron", 0.91, "0.1");
  await api.candidate(model, "brisk-otter", 0.97, "0.001");
  await api.candidate(model, "keen-lynx", 0.88, "0.01");
  for (const number of [1, 2]) await api.put(`${model}/candidate:${number}/same.txt`, "same");
  await api.put(`${model}/candidate:1/model.onnx`, "small");
  await api.put(`${model}/candidate:2/model.onnx`, "larger");
  await api.put(`${model}/candidate:2/<b>new.txt`, "new");
  await page.goto(`/${model}/candidates/compare?c=1&c=2&c=3&c=99`);
  await expect(page.getByText("Not found, or you don't have access: 99")).toBeVisible();

  await test.step("metrics have bars, the best one is marked, and so is how far they are from the base", async () => {
    const cells = row(page, "accuracy").getByRole("cell");
    await expect(cells.nth(1)).toHaveText(/0\.97\s*★best\s*\+0\.06/);
    await expect(cells.nth(0)).toHaveText(/^0\.91\s*$/);
    const lengths = await cells.locator(".bar i").evaluateAll((bars) => bars.map((bar) => (bar as HTMLElement).style.width));
    expect(lengths).toEqual(["93.8%", "100%", "90.7%"]);
    // Of a loss less is better, unless somebody says otherwise.
    await expect(row(page, "loss").getByRole("cell").nth(1)).toContainText("best");
    const flip = page.getByRole("button", { name: "loss: lower is better" });
    await flip.focus();
    await page.keyboard.press("Enter");
    await expect(row(page, "loss").getByRole("cell").nth(2)).toContainText("best");
    await expect(page.getByRole("button", { name: "loss: higher is better" })).toBeFocused();
  });

  await test.step("only what differs", async () => {
    await expect(row(page, "epochs")).toBeVisible();
    await page.getByLabel("Only differences").check();
    await expect(row(page, "epochs")).toBeHidden();
    await expect(row(page, "lr")).toBeVisible();
  });

  await test.step("parallel coordinates: one line each, picked out by keyboard and pointer", async () => {
    const plot = page.locator(".parallel-plot");
    await expect(plot.locator("g")).toHaveCount(3);
    await expect(page.locator(".parallel-heads")).toHaveText("lraccuracyloss");
    const name = page.getByRole("group", { name: "Lines" }).getByRole("button", { name: "brisk-otter #2" });
    await name.focus();
    await expect(plot.locator(".parallel-dim")).toHaveCount(2);
    await expect(plot.locator(".parallel-value")).toHaveText(["0.001", "0.97", /0\.05/]);
    await name.press("Enter");
    await page.getByLabel("Only differences").focus();
    await expect(plot.locator(".parallel-lit")).toHaveCount(1);
    await expect(name).toHaveAttribute("aria-pressed", "true");
    await name.press("Enter");
    await page.getByLabel("Only differences").focus();
    await expect(plot.locator(".parallel-lit")).toHaveCount(0);
    const box = (await plot.boundingBox())!;
    // keen-lynx has the lowest accuracy, on the second of three axes.
    await plot.hover({ position: { x: box.width / 2, y: box.height - 2 } });
    await expect(plot.locator(".parallel-value").nth(1)).toHaveText("0.88");
  });

  await test.step("files are told apart by path and hash, against any of them", async () => {
    const files = panel(page, "Files");
    await expect(files.getByRole("row").filter({ hasText: "model.onnx" })).toContainText("changed, 6 B (+1 B)");
    await expect(files.getByRole("row").filter({ hasText: "<b>new.txt" })).toContainText("added, 3 B");
    await expect(files.getByRole("row").filter({ hasText: "same.txt" }).getByRole("cell").nth(1)).toHaveText("same");
    await expect(files.getByRole("columnheader").nth(3)).toContainText("2 removed");
    await page.getByLabel("Base").selectOption("keen-lynx #3");
    await expect(files.getByRole("columnheader").nth(2)).toContainText("3 added");
    await expect(row(page, "accuracy").getByRole("cell").nth(0)).toContainText("+0.03");
  });

  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: "Remove keen-lynx #3 from comparison" }).click();
  await expect(page).toHaveURL(`/${model}/candidates/compare?c=1&c=2`);
  await expect(page.getByRole("columnheader", { name: /keen-lynx/ })).toHaveCount(0);
  await expect(page.getByRole("link", { name: /from comparison$/ })).toHaveCount(0);

  await page.getByRole("button", { name: "Promote brisk-otter #2" }).click();
  await expect(page.getByRole("dialog", { name: "Promote “brisk-otter”" })).toBeVisible();
  await expect(page.getByLabel("Version")).toHaveValue("1.1.1");
  await page.getByRole("button", { name: "Promote and publish" }).click();
  await expect(page).toHaveURL(`/${model}/versions/1.1.1`);
  expect((await api.get(`${model}/1.1.1/model.onnx`)).toString()).toBe("larger");
});

/** Two published versions with params and curves, and one without. */
async function releases(api: Api): Promise<string> {
  const model = await api.model(await api.project(), "ocr");
  for (const [number, accuracy, lr] of [[1, 0.91, "0.1"], [2, 0.97, "0.01"]] as const) {
    await api.candidate(model, `run-${number}`, accuracy, lr);
    await api.put(`${model}/candidate:${number}/model.onnx`, `weights ${accuracy}`);
    await api.put(`${model}/candidate:${number}/labels.txt`, "a");
    await api.graphql("mutation($input: PromoteCandidateInput!) { promoteCandidate(input: $input) { modelVersion { id } } }", {
      input: { model, candidate: number, version: `1.${number}.0+b`, description: `# Notes\n\nThe ${number}. one\n\n<script>` },
    });
  }
  await api.version(model, "2.0.0", { "model.onnx": "weights 0.97", "extra/a.txt": "x" });
  return model;
}

test("versions are selected in their list and compared", async ({ page, api }) => {
  const model = await releases(api);
  await page.goto(`/${model}/versions`);
  await page.getByRole("checkbox", { name: "Select 1.1.0+b" }).check();
  await expect(page.getByText("1 selected. Select another to compare.")).toBeVisible();
  await page.getByRole("checkbox", { name: "Select 1.2.0+b" }).check();
  await page.getByRole("checkbox", { name: "Select 2.0.0" }).check();
  await page.getByRole("link", { name: "Compare" }).click();
  await expect(page).toHaveURL(`/${model}/versions/compare?v=1.1.0%2Bb&v=1.2.0%2Bb&v=2.0.0`);
  await expect(page.getByRole("heading", { name: "Compare versions" })).toBeVisible();
  await expect(row(page, "lr").getByRole("cell")).toHaveText(["0.1", "0.01", "–"]);
  await expect(page.locator(".chart-legend").first()).toContainText("1.2.0+b");

  const files = panel(page, "Files");
  await expect(files.getByRole("row").filter({ hasText: "labels.txt" }).getByRole("cell")).toHaveText(["1 B", "same", "removed"]);
  await page.getByLabel("Base").selectOption("1.2.0+b");
  await expect(files.getByRole("row").filter({ hasText: "model.onnx" }).getByRole("cell")).toHaveText([/^changed, /, "12 B", "same"]);

  const notes = panel(page, "Release notes");
  await expect(notes.locator("ins").first()).toHaveText("+ The 1. one");
  await expect(notes.locator("del").first()).toHaveText("− The 2. one");
  expect(await violations(page)).toEqual([]);
  await page.goBack();
  await expect(page).toHaveURL(`/${model}/versions`);
});

test("a version says what changed since another one", async ({ page, api }) => {
  const model = await releases(api);
  let asked = 0;
  page.on("request", (request) => {
    if (request.postData()?.includes('"1.1.0+b"')) asked += 1;
  });
  await page.goto(`/${model}/versions/1.2.0+b`);
  const changes = page.locator("details").filter({ has: page.getByRole("heading", { name: /^Compare/ }) });
  await expect(changes.getByRole("heading")).toHaveText("Compare with 1.1.0+b");
  await page.waitForLoadState("networkidle");
  expect(asked, "nothing is asked for before it is opened").toBe(0);

  await changes.locator("summary").focus();
  await page.keyboard.press("Enter");
  await expect(changes.getByRole("row").filter({ hasText: "model.onnx" })).toContainText("changed");
  await expect(changes.getByRole("row").filter({ hasText: "labels.txt" })).toHaveCount(0);
  await expect(changes.getByRole("row").filter({ hasText: "lr" }).getByRole("cell")).toHaveText(["0.1", "0.01"]);
  await expect(changes.getByRole("row").filter({ hasText: "epochs" })).toHaveCount(0);
  await expect(changes.locator("ins")).toHaveText(["+ The 2. one"]);
  await expect(changes.locator("del")).toHaveText(["− The 1. one"]);
  expect(await violations(page)).toEqual([]);

  await changes.getByLabel("Base version").selectOption("2.0.0");
  await expect(page).toHaveURL(/against=2\.0\.0/);
  await expect(changes.getByRole("row").filter({ hasText: "extra/a.txt" })).toContainText("removed");
  await expect(changes.getByRole("heading", { level: 2 })).toHaveText("Compare with 2.0.0");
  await page.reload();
  await expect(changes.getByRole("row").filter({ hasText: "extra/a.txt" })).toContainText("removed");
  await expect(changes.getByLabel("Base version")).toHaveValue("2.0.0");
  await changes.getByRole("link", { name: "Side by side" }).click();
  await expect(page).toHaveURL(`/${model}/versions/compare?v=2.0.0&v=1.2.0%2Bb`);

  await page.goto(`/${model}/versions/1.1.0+b`);
  await expect(changes.getByRole("heading")).toHaveText("Compare");
  await changes.locator("summary").click();
  await changes.getByLabel("Base version").selectOption("1.2.0+b");
  await expect(changes.locator("del")).toHaveText(["− The 2. one"]);
});

test("the only version has no changes", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", { "model.onnx": "weights" });
  await page.goto(`/${model}/versions/1.0.0`);
  await expect(page.getByRole("heading", { name: "Files" })).toBeVisible();
  await expect(page.getByRole("heading", { name: /^Compare/ })).toHaveCount(0);
});

test("runs that go on are compared as they go, over few sockets, and those that ended are not asked for again", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  for (let n = 1; n <= 11; n += 1) await begin(api, model, `run-${n}`, { lr: String(n) });
  await api.candidate(model, "ended", 0.5, "0.1");
  let sockets = 0;
  page.on("websocket", () => (sockets += 1));
  const subscribed: string[] = [];
  const told: string[] = [];
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => {
      if (String(payload).includes("runChanged")) subscribed.push(String(payload));
    });
    socket.on("framereceived", ({ payload }) => {
      if (String(payload).includes("runChanged")) told.push(String(payload));
    });
  });
  const numbers = Array.from({ length: 12 }, (_, n) => n + 1);
  await page.goto(`/${model}/candidates/compare?c=${numbers.join("&c=")}`);
  await expect(page.getByRole("columnheader", { name: /run-11/ })).toBeVisible();
  await expect.poll(() => subscribed.length).toBe(11);
  expect(sockets).toBe(2);
  // Each is told once what it is now.
  await expect.poll(() => told.length).toBe(11);
  let asked = 0;
  page.on("request", (request) => {
    if (request.postData()?.includes('"number":12')) asked += 1;
  });
  const promote = page.getByRole("button", { name: "Promote run-11 #11" });
  await promote.focus();
  await log(api, model, 11, [{ name: "loss", value: 0.75, step: 1 }]);
  await expect(row(page, "loss").getByRole("cell").nth(10)).toContainText("0.75");
  await log(api, model, 3, [{ name: "loss", value: 0.05, step: 2 }]);
  await expect(row(page, "loss").getByRole("cell").nth(2)).toContainText("0.05");
  await log(api, model, 11, [{ name: "loss", value: 0.01, step: 2 }]);
  await expect(row(page, "loss").getByRole("cell").nth(10)).toContainText("0.01");
  await expect(promote).toBeFocused();
  expect(asked).toBe(0);
});

test("the runs of an experiment appear and go on without a reload", async ({ page, api }) => {
  const project = await api.project();
  const experiment = await api.experiment(project, "sweep");
  await api.run(project, experiment, "bold-crane", 0.93);
  await page.goto(`/${project}/-/experiments/${experiment}`);
  await expect(page.getByText("bold-crane")).toBeVisible();
  const made = await api.mlflow(project, "runs/create", { experiment_id: experiment, run_name: "shy-mole", start_time: Date.now() });
  const run = made.run.info.run_id;
  const shown = page.getByRole("row").filter({ hasText: "shy-mole" });
  await expect(shown).toContainText("Running");
  await page.getByRole("checkbox", { name: "Select shy-mole" }).check();
  await api.mlflow(project, "runs/log-metric", { run_id: run, key: "accuracy", value: 0.625, timestamp: Date.now() });
  await expect(shown).toContainText("0.625");
  await expect(page.getByRole("checkbox", { name: "Select shy-mole" })).toBeChecked();
  await api.mlflow(project, "runs/update", { run_id: run, status: "FINISHED", end_time: Date.now() });
  await expect(shown).toContainText("Finished");
});

test("a curve that is zoomed in on has more points", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  const run = await begin(api, model, "long-run", {});
  const start = Date.UTC(2026, 0, 1);
  const points = Array.from({ length: 6000 }, (_, step) => ({
    name: "loss",
    value: Math.sin(step / 50) + (step % 7) / 10,
    step,
    timestamp: new Date(start + step * 1000).toISOString(),
  }));
  for (let from = 0; from < points.length; from += 500) await log(api, model, run, points.slice(from, from + 500));
  await log(api, model, run, [], { status: "FINISHED" });
  await page.goto(`/${model}/candidates/${run}`);
  const plot = page.getByRole("slider", { name: /^loss/ });
  await plot.focus();

  // How far the next point is from the middle of what is shown.
  const distance = async () => {
    const read = async () => Number((await plot.getAttribute("aria-valuetext"))?.match(/^Step (\d+)/)?.[1]);
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    const one = await read();
    await page.keyboard.press("ArrowRight");
    return (await read()) - one;
  };
  expect(await distance()).toBeGreaterThan(1);
  for (let n = 0; n < 3; n += 1) {
    await page.keyboard.press("Escape");
    await plot.blur();
    await plot.focus();
  }
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  await expect.poll(distance).toBe(1);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Show all" })).toBeHidden();
  expect(await distance()).toBeGreaterThan(1);

  await test.step("by time, too", async () => {
    await page.getByRole("button", { name: "Time", exact: true }).click();
    const finer = page.waitForRequest((request) => request.postData()?.includes('"fromTime":"2026-01-01T00:2') ?? false);
    await plot.focus();
    await page.keyboard.press("+");
    const { variables } = JSON.parse((await finer).postData() ?? "{}");
    // From 25 minutes, a quarter of the whole, with the next points outside.
    expect(variables.fromStep).toBeLessThanOrEqual(1500);
    expect(variables.fromStep).toBeGreaterThan(1450);
    expect(variables.toStep).toBeGreaterThanOrEqual(4499);
    expect(variables.toStep).toBeLessThan(4550);
  });
});
