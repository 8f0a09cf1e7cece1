// Training runs: found by what they measured, compared, and the best one promoted.

import { expect, signIn, test, violations } from "./fixtures";

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
    await page.getByRole("combobox", { name: /^metrics/ }).fill("metrics.accuracy >");
    await expect(page.locator("#filter-problem")).toContainText(/\S/);
    await page.getByRole("combobox", { name: /^metrics/ }).fill("metrics.accuracy > 0.9 and status = 'FINISHED'");
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
    await expect(page.getByRole("heading", { name: "Compare runs" })).toBeVisible();
    await expect(page.getByRole("columnheader", { name: /brisk-otter/ }).first()).toBeVisible();
  });

  await test.step("look at the best: its curve, its files; promote it to the next minor version", async () => {
    await page.goto(`/${model}/candidates/2`);
    await expect(page).toHaveTitle(/Run 2 of/);
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

test("the table has the columns that are wanted, and its rows are promoted and deleted", async ({ page, api, stranger }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await api.version(model, "1.1.0", { "model.onnx": "old" });
  await api.candidate(model, "calm-heron", 0.91, "0.1");
  await api.candidate(model, "brisk-otter", 0.97, "0.01");
  await api.candidate(model, "keen-lynx", 0.88, "0.01");
  for (const [candidate, value] of [[2, "cpu-9"], [3, "tpu-2"]]) {
    await api.graphql("mutation($input: SetTagInput!) { setTag(input: $input) { tag { key } } }", { input: { model, candidate, key: "host", value } });
  }
  await page.goto(`/${model}/candidates`);
  const row = (name: string) => page.locator("tbody tr", { has: page.getByRole("link", { name, exact: true }) });
  const names = page.locator("tbody").getByRole("link");

  await test.step("a filter is completed as it is typed", async () => {
    const field = page.getByRole("combobox", { name: /^metrics/ });
    const ways = () => page.locator("#filter-ways option").evaluateAll((all) => all.map((way) => way.getAttribute("value")));
    await expect(field).toBeVisible();
    await expect.poll(ways).toContain("params.lr = ");
    await field.fill("metrics.a");
    await expect.poll(ways).toEqual(["metrics.accuracy > "]);
    await field.fill("metrics.accuracy > 0.9 and tags.");
    await expect.poll(ways).toEqual(["metrics.accuracy > 0.9 and tags.host = "]);
    await field.fill("");
    await expect(names).toHaveCount(3);
  });

  await test.step("the best of each metric is marked", async () => {
    await expect(row("brisk-otter").getByText("best")).toHaveCount(2);
    await expect(row("calm-heron").getByText("best")).toHaveCount(0);
    // The model says itself what it is judged by, however that sounds.
    await api.tag(model, "registry.metric", "accuracy:min");
    await expect(row("keen-lynx").getByText("best")).toHaveCount(1);
    await expect(row("brisk-otter").getByText("best")).toHaveCount(1);
  });

  await test.step("tags are columns, too, and sort", async () => {
    await expect(page.getByRole("columnheader", { name: "host" })).toHaveCount(0);
    await page.locator("summary", { hasText: "Columns" }).click();
    await page.getByRole("checkbox", { name: /^host/ }).check();
    await page.locator("summary", { hasText: "Columns" }).click();
    await expect(page.getByRole("columnheader", { name: "Tags", exact: true })).toBeAttached();
    await expect(row("calm-heron")).toContainText("gpu-1");
    await page.getByRole("button", { name: "host" }).click();
    await expect(page).toHaveURL(/sort=tag%3Ahost/);
    await expect(names).toHaveText(["brisk-otter", "calm-heron", "keen-lynx"]);
    expect(await violations(page)).toEqual([]);
  });

  await test.step("one that is selected is promoted", async () => {
    await row("brisk-otter").getByRole("checkbox").check();
    await page.getByRole("button", { name: "Promote" }).click();
    const dialog = page.getByRole("dialog", { name: "Promote “brisk-otter”" });
    await expect(dialog.getByLabel("Version")).toHaveValue("1.1.1");
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Cancel" }).click();
  });

  await test.step("several are deleted, and come back", async () => {
    await row("keen-lynx").getByRole("checkbox").check();
    await expect(page.getByRole("button", { name: "Promote" })).toHaveCount(0);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Delete 2 runs?" });
    await expect(dialog.getByRole("listitem")).toHaveText(["brisk-otter #2", "keen-lynx #3"]);
    await expect(dialog).toContainText("can be restored");
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Delete" }).click();
    await expect(names).toHaveText(["calm-heron"]);
    const toast = page.locator(".toast-card", { hasText: "2 runs moved to the trash." });
    await toast.getByRole("button", { name: "Undo" }).click();
    await expect(names).toHaveCount(3);
  });

  await test.step("a guest only compares", async () => {
    const guest = await api.person("guest");
    await api.member(project, guest.username, "GUEST");
    const theirs = await stranger();
    await signIn(theirs, guest);
    await theirs.goto(`/${model}/candidates`);
    const boxes = theirs.locator("tbody").getByRole("checkbox");
    for (const place of [0, 1]) await boxes.nth(place).check();
    await expect(theirs.getByRole("link", { name: "Compare" })).toBeVisible();
    await expect(theirs.getByRole("button", { name: /^(Promote|Delete)$/ })).toHaveCount(0);
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
  await page.getByRole("button", { name: /^Roll back to/ }).first().click();
  await expect(page.getByText(/champion moved back to/)).toBeVisible();
  expect((await api.get(`${model}/@champion/model.onnx`)).toString()).toBe("1.0.0");
});

test("best is what ended well, where it is known which way is better", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  const runs = [
    ["ended-well", "FINISHED", 0.7, 3],
    ["ended-worse", "FINISHED", 0.6, 2],
    ["goes-on", "RUNNING", 0.9, 1],
    ["ended-badly", "FAILED", 0.8, 4],
  ] as const;
  for (const [name, status, accuracy, foo] of runs) {
    const metrics = [{ name: "accuracy", value: accuracy }, { name: "foo", value: foo }];
    await api.graphql("mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }", {
      input: { model, name, status, metrics },
    });
  }
  const row = (name: string) => page.getByRole("row").filter({ hasText: name });
  await page.goto(`/${model}/candidates`);
  await expect(row("goes-on")).toContainText("Running");
  await expect(page.getByTitle("Best on this page")).toHaveCount(1);
  await expect(row("ended-well").getByText("best")).toHaveCount(1);

  await page.goto(`/${model}/candidates/compare?c=1&c=2&c=3&c=4`);
  const metric = (name: string) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
  await expect(metric("accuracy").getByTitle("Best")).toHaveCount(1);
  await expect(metric("foo")).toBeVisible();
  await expect(metric("foo").getByTitle("Best")).toHaveCount(0);
  await page.getByRole("button", { name: "foo: not known whether lower or higher is better" }).click();
  await expect(page.getByRole("button", { name: "foo: lower is better" }).or(page.getByRole("button", { name: "foo: higher is better" }))).toBeVisible();
  await expect(metric("foo").getByTitle("Best")).toHaveCount(1);
});

test("only what has a curve is drawn", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  const single = Array.from({ length: 8 }, (_, index) => ({ name: `a${index}`, value: index }));
  const create = async (name: string, metrics: object[]): Promise<number> => {
    const made = await api.graphql("mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }", {
      input: { model, name, status: "FINISHED", metrics },
    });
    return made.createCandidate.candidate.number;
  };
  const curve = [0, 1, 2].map((step) => ({ name: "loss", value: 1 / (1 + step), step }));
  const drawn = await create("drawn", [...single, ...curve]);
  const flat = await create("flat", single);

  await page.goto(`/${model}/candidates/${drawn}`);
  await expect(page.getByRole("heading", { level: 2, name: "Curves" })).toBeVisible();
  await expect(page.getByRole("heading", { level: 3 })).toHaveText(["loss"]);
  await expect(page.getByRole("rowheader", { name: "a7" })).toBeVisible();

  await page.goto(`/${model}/candidates/${flat}`);
  await expect(page.getByRole("rowheader", { name: "a7" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Curves" })).toHaveCount(0);
});
