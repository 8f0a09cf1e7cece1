// The list of a project's models: narrowed down, sorted, selected, tagged, deleted, and brought back.

import { type Locator, type Page } from "@playwright/test";

import { type Api, expect, holdBack, signIn, test, unique, violations } from "./fixtures";

const rows = (page: Page) => page.locator("tbody tr");
const row = (page: Page, name: string) => rows(page).filter({ has: page.getByRole("link", { name, exact: true }) });

/** The names of the models, in the order of the list. */
const names = (page: Page) => page.locator("tbody tr td a.font-semibold");

async function furnish(api: Api): Promise<string> {
  const project = await api.project();
  const net = await api.model(project, "net", "---\nlicense: mit\n---\n# A card");
  await api.tag(net, "framework", "torch");
  await api.tag(net, "registry.metric", "loss:min");
  await api.version(net, "9.0.0", { "w.bin": "w" });
  await api.candidate(net, "calm-heron", 0.2, "0.1");
  await api.candidate(net, "brisk-otter", 0.9, "0.1");
  const tree = await api.model(project, "tree");
  await api.tag(tree, "registry.metric", "loss:min");
  await api.tag(tree, "task", "tabular");
  await api.mlmodel(tree, "10.0.0");
  await api.candidate(tree, "shy-mole", 0.5, "0.1");
  const bare = await api.model(project, "bare");
  await api.tag(bare, "license", "gpl-3.0");
  return project;
}

test("a list is narrowed down by what its models have, and the address says so", async ({ page, api, isMobile }) => {
  const project = await furnish(api);
  await page.goto(`/${project}`);
  const facet = (name: string) => page.getByRole("combobox", { name });
  await expect(facet("Any framework").getByRole("option")).toHaveText(["Any framework", "sklearn (1)", "torch (1)"]);
  await expect(facet("Any tag").getByRole("option")).toHaveText(["Any tag", "task: ocr (2)", "task: tabular (1)"]);
  await expect(facet("Any license").getByRole("option")).toHaveText(["Any license", "gpl-3.0 (1)", "mit (1)"]);
  await expect(facet("Any author").getByRole("option")).toHaveText(["Any author", "admin (3)"]);

  await facet("Any tag").selectOption({ label: "task: ocr (2)" });
  await expect(names(page)).toHaveText(["bare", "net"]);
  await expect(page).toHaveURL(/tag=task%3Docr/);
  // What others can be chosen stays; the other facets count what is left.
  await expect(facet("Any tag").getByRole("option")).toHaveText(["Any tag", "task: ocr (2)", "task: tabular (1)"]);
  await expect(facet("Any framework").getByRole("option")).toHaveText(["Any framework", "torch (1)"]);
  await facet("Any license").selectOption("mit");
  await expect(names(page)).toHaveText(["net"]);
  expect(await violations(page)).toEqual([]);

  const shared = page.url();
  await page.goto("/");
  await page.goto(shared);
  await expect(names(page)).toHaveText(["net"]);
  await expect(facet("Any license")).toHaveValue("mit");
  await expect(facet("Any tag")).toHaveValue("task=ocr");
  await page.goBack();
  await page.goForward();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(names(page)).toHaveText(["bare", "net", "tree"]);
  await expect(facet("Any license")).toHaveValue("");
  await expect(page).toHaveURL(`/${project}`);

  await facet("Any framework").selectOption("sklearn");
  await expect(names(page)).toHaveText(["tree"]);
  await page.getByRole("searchbox", { name: "Search models" }).fill("net");
  await expect(page.getByText("No matching models")).toBeVisible();
  await expect(facet("Any framework")).toHaveValue("sklearn");
  if (!isMobile) expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
});

test("models of all projects are in one list, and changed where one may", async ({ api, stranger }) => {
  const [hers, theirs, hidden] = [await api.project(), await api.project(), await api.project()];
  // Everybody sees the public projects of other journeys, too.
  const name = unique("net");
  for (const project of [hers, theirs, hidden]) await api.tag(await api.model(project, name), "home", project);
  const ada = await api.person("ada");
  await api.member(hers, ada.username, "DEVELOPER");
  await api.member(theirs, ada.username, "GUEST");
  const page = await stranger();
  await signIn(page, ada);
  await page.getByRole("navigation", { name: "Home" }).getByRole("link", { name: "Models" }).click();
  await expect(page).toHaveURL("/-/models");
  await page.getByRole("searchbox", { name: "Search models" }).fill(name);
  await expect(page).toHaveURL(`/-/models?q=${name}`);
  await expect(names(page)).toHaveText([`${hers}/${name}`, `${theirs}/${name}`].sort());
  const tags = page.getByRole("combobox", { name: "Any tag" });
  await expect(tags.getByRole("option", { name: `home: ${hers} (1)` })).toHaveCount(1);
  await expect(tags.getByRole("option", { name: `home: ${theirs} (1)` })).toHaveCount(1);
  await expect(tags.getByRole("option", { name: hidden })).toHaveCount(0);

  await expect(row(page, `${theirs}/${name}`).getByRole("checkbox")).toHaveCount(0);
  await page.getByRole("checkbox", { name: "Select all models on this page" }).check();
  await expect(page.getByText("1 selected.")).toBeVisible();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText(`${hers}/${name}`);
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(names(page)).toHaveText([`${theirs}/${name}`]);
  await expect(page.getByRole("checkbox")).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(names(page)).toHaveCount(2);

  await tags.selectOption(`home=${theirs}`);
  await expect(names(page)).toHaveText([`${theirs}/${name}`]);
  expect(await violations(page)).toEqual([]);
  await names(page).click();
  await expect(page).toHaveURL(`/${theirs}/${name}`);
});

test("a list is sorted by every column", async ({ page, api, isMobile }) => {
  const project = await furnish(api);
  await page.goto(`/${project}`);
  await expect(names(page)).toHaveText(["bare", "net", "tree"]);
  if (isMobile) {
    await page.getByRole("combobox", { name: "Sort by" }).selectOption({ label: "Highest version" });
    await expect(names(page)).toHaveText(["tree", "net", "bare"]);
    return;
  }
  const head = (name: string) => page.getByRole("columnheader", { name });
  const expected: [string, string[], string[]][] = [
    ["Name", ["tree", "net", "bare"], ["bare", "net", "tree"]],
    ["Version", ["tree", "net", "bare"], ["net", "tree", "bare"]],
    ["Best metric", ["net", "tree", "bare"], ["tree", "net", "bare"]],
    ["Runs", ["net", "tree", "bare"], ["bare", "tree", "net"]],
    ["Created", ["bare", "tree", "net"], ["net", "tree", "bare"]],
    ["Updated", ["bare", "tree", "net"], ["net", "tree", "bare"]],
  ];
  for (const [name, first, second] of expected) {
    await head(name).getByRole("button").click();
    await expect(names(page), name).toHaveText(first);
    await head(name).getByRole("button").click();
    await expect(names(page), name).toHaveText(second);
  }
  await head("Author").getByRole("button").click();
  await expect(head("Author")).toHaveAttribute("aria-sort", "ascending");
  await expect(rows(page)).toHaveCount(3);

  // The candidate with the lowest loss, which is what the model is judged by.
  const best = row(page, "net").getByRole("link", { name: "0.05525" });
  await expect(best).toHaveAttribute("href", `/${project}/net/candidates/2`);
  await expect(row(page, "net")).toContainText("loss");
});

async function confirm(page: Page): Promise<Locator> {
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  return dialog;
}

test("a model is deleted from its row and comes back", async ({ page, api }) => {
  const project = await furnish(api);
  await page.goto(`/${project}`);
  await row(page, "net").getByRole("button", { name: "Actions for net" }).click();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("1 version and 2 runs");
  expect(await violations(page)).toEqual([]);
  await confirm(page);
  await expect(names(page)).toHaveText(["bare", "tree"]);
  await expect(page.getByRole("link", { name: /^Models/ })).toContainText("2");
  const toast = page.locator(".toast-card", { hasText: "Model “net” moved to the trash." });
  await toast.getByRole("button", { name: "Undo" }).click();
  await expect(names(page)).toHaveText(["bare", "net", "tree"]);
  await expect(page).toHaveURL(`/${project}`);
  await expect(toast).toBeHidden();

  await test.step("from its own page, and back there", async () => {
    await page.goto(`/${project}/net/-/edit`);
    await page.getByRole("button", { name: "Delete model" }).click();
    await confirm(page);
    await expect(names(page)).toHaveText(["bare", "tree"]);
    await toast.getByRole("button", { name: "Undo" }).click();
    await expect(page).toHaveURL(`/${project}/net`);
    await expect(page.getByRole("heading", { level: 1, name: "net" })).toBeVisible();
  });
});

test("several models are tagged and deleted at once, and what is refused is said of each", async ({ page, api }) => {
  const project = await furnish(api);
  await page.goto(`/${project}`);
  await page.getByRole("checkbox", { name: "Select all models on this page" }).check();
  await expect(page.getByText("3 selected.")).toBeVisible();
  await page.getByRole("checkbox", { name: "Select bare" }).uncheck();
  await expect(page.getByText("2 selected.")).toBeVisible();

  await test.step("tag", async () => {
    await page.getByRole("button", { name: "Tag", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Tag 2 models" });
    await expect(dialog.getByRole("listitem")).toHaveText(["net", "tree"]);
    await dialog.getByLabel("Key").fill("team");
    await dialog.getByLabel("Value").fill("vision");
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Set tag" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByText("Tag “team” set on 2 models.")).toBeVisible();
    await expect(row(page, "net")).toContainText("vision");
    await expect(row(page, "tree")).toContainText("vision");
    await expect(row(page, "bare")).not.toContainText("vision");
    await expect(page.getByRole("combobox", { name: "Any tag" }).getByRole("option", { name: "team: vision (2)" })).toBeAttached();
  });

  await test.step("delete, where one is gone already", async () => {
    await expect(page.getByText("2 selected.")).toBeVisible();
    await api.graphql("mutation($input: DeleteModelInput!) { deleteModel(input: $input) { model { id } } }", {
      input: { model: `${project}/tree` },
    });
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    const dialog = await confirm(page);
    await expect(dialog.getByRole("alert")).toContainText("tree");
    await expect(dialog.getByRole("alert")).not.toContainText("net");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await expect(names(page)).toHaveText(["bare"]);
  });

  await test.step("and Control and Z bring back what went", async () => {
    await page.locator("h1").click();
    await page.keyboard.press("Control+z");
    await expect(names(page)).toHaveText(["bare", "net"]);
  });
});

test("guests choose and sort, but change nothing", async ({ stranger, api }) => {
  const project = await furnish(api);
  const guest = await api.person("guest");
  await api.member(project, guest.username, "GUEST");
  const page = await stranger();
  await signIn(page, guest);
  await page.goto(`/${project}?framework=torch`);
  await expect(names(page)).toHaveText(["net"]);
  await expect(page.getByRole("checkbox")).toHaveCount(0);
  await expect(page.getByRole("button", { name: /^Actions for/ })).toHaveCount(0);
});

test("versions, candidates, aliases and tags come back, too", async ({ page, api }) => {
  const project = await furnish(api);
  const net = `${project}/net`;
  await api.alias(net, "champion", "9.0.0");
  const undo = (text: string) => page.locator(".toast-card", { hasText: text }).getByRole("button", { name: "Undo" }).click();
  const ask = async (question: string, ...fields: string[]) => {
    const answer = await api.graphql(`query($path: String!) { model(path: $path) { ${fields.join(" ")} } }`, { path: net });
    return answer.model[question];
  };

  await test.step("a version", async () => {
    await page.goto(`/${net}/versions/9.0.0`);
    await page.getByRole("button", { name: "More actions for this version" }).click();
    await page.getByRole("button", { name: "Delete version" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete version" }).click();
    await expect(page).toHaveURL(`/${net}/versions`);
    await undo("Version 9.0.0 moved");
    await expect(page).toHaveURL(`/${net}/versions/9.0.0`);
  });

  await test.step("a candidate", async () => {
    await page.goto(`/${net}/candidates/1`);
    await page.getByRole("button", { name: "More actions for this run" }).click();
    await page.getByRole("button", { name: "Delete run" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete run" }).click();
    await expect(page).toHaveURL(`/${net}/candidates`);
    await undo("Run “calm-heron” moved");
    await expect(page).toHaveURL(`/${net}/candidates/1`);
  });

  await test.step("an alias, at the version that it named", async () => {
    await page.goto(`/${net}`);
    await page.getByRole("button", { name: "Actions for champion" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await expect(page.getByText("No aliases.")).toBeVisible();
    await undo("Alias “champion” removed.");
    await expect(page.getByRole("button", { name: "Actions for champion" })).toBeVisible();
    expect(await ask("aliases", "aliases { name version { version } }")).toEqual([
      { name: "champion", version: { version: "9.0.0" } },
    ]);
  });

  await test.step("a tag, with its value; by the keyboard, and the offer waits for who is at it", async () => {
    await page.goto(`/${net}/-/edit`);
    await page.clock.install();
    await page.getByRole("button", { name: "Remove tag framework" }).click();
    const button = page.locator(".toast-card", { hasText: "Tag “framework” removed." }).getByRole("button", { name: "Undo" });
    await button.focus();
    await page.clock.runFor(20_000);
    await expect(button).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("button", { name: "Remove tag framework" })).toBeVisible();
    await expect.poll(() => ask("tags", "tags { key value }")).toContainEqual({ key: "framework", value: "torch" });
  });
});

test("from one project to another by the keyboard", async ({ page, api, stranger }) => {
  const [here, there, other] = [await furnish(api), await api.project(), await api.project()];
  const model = await api.model(there, "ocr");
  await page.goto(`/${other}`);
  await expect(page.getByText("Publish the first model")).toBeVisible();
  await page.goto(`/${model}`);
  await expect(page.getByRole("heading", { level: 1, name: "ocr" })).toBeVisible();
  const release = await holdBack(page, "**/graphql", here);
  await page.goto(`/${here}/-/experiments`);

  const open = page.getByRole("button", { name: `${here}: switch project` });
  const field = page.getByRole("textbox", { name: "Search projects" });
  const list = page.getByRole("list", { name: /switch project/ });
  await test.step("those of late come first", async () => {
    await open.focus();
    await page.keyboard.press("Enter");
    await expect(field).toBeFocused();
    // Before the page is there, too.
    await expect(list.getByRole("link").nth(0)).toContainText(here);
    await expect(list.getByRole("link").nth(0)).toHaveAttribute("aria-current", "true");
    await expect(list.getByRole("link").nth(1)).toContainText(there);
    await expect(list.getByRole("link").nth(2)).toContainText(other);
    release();
    await expect(page.getByRole("heading", { level: 1, name: here })).toBeVisible();
    await expect(field).toBeFocused();
    expect(await violations(page)).toEqual([]);
    const box = (await list.boundingBox())!;
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(page.viewportSize()!.width);
    await page.keyboard.press("Escape");
    await expect(list).toBeHidden();
    await expect(open).toBeFocused();
  });
  await test.step("arrows move, Enter goes", async () => {
    await page.keyboard.press("Enter");
    await expect(list.getByRole("link").nth(1)).toContainText(there);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await expect(list.getByRole("link").nth(1)).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(`/${there}`);
    await expect(list).toBeHidden();
  });
  await test.step("and every project is found by its name", async () => {
    await page.getByRole("button", { name: `${there}: switch project` }).click();
    await field.fill(unique("nothing"));
    await expect(list.getByText("No matching projects.")).toBeVisible();
    await field.fill(here);
    await expect(list.getByRole("link").nth(0)).toContainText(here);
    await expect(list.getByRole("link")).toHaveCount(2);
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(`/${here}`);
    await expect(list).toBeHidden();
  });
  await test.step("strangers are shown what is public only", async () => {
    const shown = await api.project("PUBLIC");
    const page = await stranger();
    await page.goto(`/${shown}`);
    await page.getByRole("button", { name: `${shown}: switch project` }).click();
    await page.getByRole("textbox", { name: "Search projects" }).fill("p-");
    const list = page.getByRole("list", { name: /switch project/ });
    await expect(list.getByRole("link", { name: shown })).toBeVisible();
    await expect(list.getByRole("link", { name: here })).toHaveCount(0);
  });
});

test("of many aliases those stand in the list that matter: protected ones, then the last moved", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await api.version(model, "1.0.0");
  await api.graphql("mutation($input: ProtectAliasInput!) { protectAlias(input: $input) { protectedAlias { pattern } } }", {
    input: { project, pattern: "production" },
  });
  for (const name of ["production", "a", "b", "c", "d", "e"]) await api.alias(model, name, "1.0.0");
  await page.goto(`/${project}`);
  const aliases = row(page, "ocr").locator("a.badge");
  await expect(aliases.first()).toContainText("production");
  await expect(aliases.first()).toContainText("protected");
  await expect(aliases.nth(1)).toContainText("e");
});
