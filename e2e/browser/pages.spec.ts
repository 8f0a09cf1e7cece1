// Every page, full and empty, light and dark, on a desk and on a phone: no complaint on the console, no
// violation that axe finds, nothing wider than the screen. Screenshots are in e2e/screenshots.

import { type Page, type TestInfo } from "@playwright/test";

import { type Api, expect, nobody, test, unique, violations } from "./fixtures";

const card = `# Optical character recognition

Reads **printed** text. See [the report](https://example.org).

| Set | Error |
|---|---|
| Printed | 0.8 % |

- [x] Latin
- [ ] Greek

\`\`\`python
session = onnxruntime.InferenceSession("onnx/model.onnx")
\`\`\``;

/** A project with something of everything; an empty one beside it. */
async function furnish(api: Api): Promise<Record<string, string>> {
  const empty = await api.project();
  const project = await api.project();
  const model = await api.model(project, "ocr", card);
  await api.tag(model, "registry.metric", "accuracy");
  const bare = await api.model(project, "barcode");
  for (let n = 0; n < 25; n += 1) await api.model(project, `model-${n}`);
  await api.version(model, "1.0.0", { "onnx/model.onnx": "weights", "config.json": "{}", "README.md": "hi" });
  await api.version(model, "1.1.0-rc.1", { "onnx/model.onnx": "weights" }, false);
  await api.alias(model, "champion", "1.0.0");
  await api.candidate(model, "calm-heron", 0.91, "0.1");
  await api.candidate(model, "brisk-otter", 0.97, "0.01");
  await api.put(`${model}/candidate:1/model.onnx`, "weights");
  await api.mlmodel(model, "1.2.0");
  const sweep = await api.experiment(project, "learning rate sweep");
  const runs = [await api.run(project, sweep, "bold-crane", 0.93), await api.run(project, sweep, "shy-mole", 0.89)];
  const idle = await api.experiment(project, "nothing yet");
  const gone = await api.model(project, "gone");
  await api.graphql("mutation($input: DeleteModelInput!) { deleteModel(input: $input) { model { id } } }", {
    input: { model: gone },
  });
  const somebody = await api.person("ada");
  await api.member(project, somebody.username, "DEVELOPER");
  await api.invite(unique("invited"));
  const refused = await api.person("bob");
  await api.member(project, refused.username, "GUEST");
  await api.graphql("mutation($input: BlockUserInput!) { blockUser(input: $input) { user { id } } }", {
    input: { username: refused.username },
  });
  await api.graphql("mutation($input: ProtectAliasInput!) { protectAlias(input: $input) { protectedAlias { pattern } } }", {
    input: { project, pattern: "champ*" },
  });
  await api.graphql("mutation($input: CreateProjectTokenInput!) { createProjectToken(input: $input) { token { id } } }", {
    input: { project, name: "ci", role: "DEVELOPER" },
  });
  const hook = { project, name: "ci", url: "https://ci.example.org/hooks/models", events: ["alias.*", "version.publish"] };
  await api.graphql("mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } } }", { input: hook });
  return {
    account: "/settings/account",
    sessions: "/settings/sessions",
    users: "/admin/users",
    "users-none": "/admin/users?q=nobody-like-this",
    "admin-audit": "/admin/audit",
    "admin-operations": "/admin/operations",
    "admin-webhooks": "/admin/webhooks",
    members: `/${project}/-/members`,
    "project-tokens": `/${project}/-/tokens`,
    "project-tokens-none": `/${empty}/-/tokens`,
    webhooks: `/${project}/-/webhooks`,
    "webhooks-none": `/${empty}/-/webhooks`,
    "project-audit": `/${project}/-/audit`,
    "project-audit-none": `/${project}/-/audit?actor=nobody&since=2020-01-01`,
    "model-audit": `/${model}/-/audit`,
    projects: "/",
    "projects-none": "/?q=nothing-like-it",
    "all-models": "/-/models?tag=task%3Docr",
    "all-models-none": "/-/models?q=nothing-like-it",
    "project-new": "/new",
    tokens: "/settings/tokens",
    project: `/${project}`,
    "project-narrowed": `/${project}?tag=task%3Docr&author=admin&sort=-version`,
    "project-none": `/${project}?framework=no-such`,
    "project-empty": `/${empty}`,
    "project-edit": `/${project}/-/edit`,
    "model-new": `/${project}/-/new`,
    trash: `/${project}/-/trash`,
    "trash-empty": `/${empty}/-/trash`,
    model: `/${model}`,
    "model-bare": `/${bare}`,
    "model-edit": `/${model}/-/edit`,
    versions: `/${model}/versions`,
    "version-new": `/${model}/versions/new`,
    version: `/${model}/versions/1.0.0`,
    "version-draft": `/${model}/versions/1.1.0-rc.1`,
    "versions-none": `/${bare}/versions`,
    "version-mlflow": `/${model}/versions/1.2.0`,
    experiments: `/${project}/-/experiments`,
    "experiments-none": `/${empty}/-/experiments`,
    experiment: `/${project}/-/experiments/${sweep}`,
    "experiment-none": `/${project}/-/experiments/${idle}`,
    run: `/${project}/-/runs/${runs[0]}`,
    "run-nowhere": `/${project}/-/runs/ffffffffffffffffffffffffffffffff`,
    "compare-runs": `/${project}/-/runs/compare?run=${runs[0]}&run=${runs[1]}`,
    candidates: `/${model}/candidates`,
    "candidates-none": `/${bare}/candidates`,
    candidate: `/${model}/candidates/1`,
    compare: `/${model}/candidates/compare?c=1&c=2`,
    "compare-one": `/${model}/candidates/compare?c=1`,
    "compare-versions": `/${model}/versions/compare?v=1.0.0&v=1.1.0-rc.1&v=1.2.0`,
    "version-changes": `/${model}/versions/1.2.0?against=1.0.0`,
    "not-found": `/${model}/versions/9.9.9`,
    nowhere: "/a/b/c/d/e",
  };
}

async function settle(page: Page): Promise<void> {
  await page.locator("h1, [role=alert]").first().waitFor();
  await page.waitForLoadState("networkidle");
}

/** What is there for everybody, also without signing in. */
async function furnishForAll(api: Api): Promise<Record<string, string>> {
  const project = await api.project("PUBLIC");
  const model = await api.model(project, "ocr", card);
  await api.version(model, "1.0.0", { "onnx/model.onnx": "weights" });
  await api.alias(model, "champion", "1.0.0");
  return {
    "anonymous-projects": "/",
    "anonymous-models": "/-/models",
    "anonymous-project": `/${project}`,
    "anonymous-model": `/${model}`,
    "anonymous-version": `/${model}/versions/1.0.0`,
    "anonymous-audit": `/${project}/-/audit`,
    "anonymous-not-found": "/nothing-here",
    "sign-in": "/sign-in",
    "sign-in-expired": "/sign-in?error=expired",
    invitation: await api.invite(unique("new")),
    "invitation-wrong": "/invitation#mri_wrong",
  };
}

async function visit(page: Page, addresses: Record<string, string>, colorScheme: string, info: TestInfo) {
  for (const [name, address] of Object.entries(addresses)) {
    await test.step(name, async () => {
      await page.goto(address);
      await settle(page);
      await page.screenshot({
        path: `screenshots/${name}-${info.project.name}-${colorScheme}.png`,
        fullPage: true,
      });
      expect.soft(await violations(page), name).toEqual([]);
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect.soft(excess, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
      await expect.soft(page, name).toHaveTitle(/Model Registry/);
    });
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test("every page", async ({ page, api }, info) => {
      test.setTimeout(420_000);
      await visit(page, await furnish(api), colorScheme, info);
    });

    test("every page that needs no session", async ({ browser, watch, api }, info) => {
      const context = await browser.newContext({ storageState: nobody, colorScheme });
      const page = await context.newPage();
      watch(page);
      await visit(page, await furnishForAll(api), colorScheme, info);
      await context.close();
    });
  });
}

test("the back button and the keyboard work", async ({ page, api }) => {
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await page.goto(`/${project}`);
  await page.getByRole("link", { name: "ocr", exact: true }).click();
  await expect(page).toHaveURL(`/${model}`);
  await page.getByRole("link", { name: /^Versions/ }).click();
  await expect(page).toHaveURL(`/${model}/versions`);
  await page.goBack();
  await page.goBack();
  await expect(page).toHaveURL(`/${project}`);
  await expect(page.getByRole("link", { name: "ocr", exact: true })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.locator(":focus")).toBeVisible();
});

test("GraphiQL comes with the server and asks it", async ({ page }) => {
  await page.goto("/graphql");
  await page.getByRole("button", { name: /Execute query/ }).click();
  await expect(page.locator(".graphiql-container")).toContainText('"username": "admin"');
});

test("a theme that was chosen stays", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Theme" }).click();
  await page.getByRole("button", { name: "Dark" }).click();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("session, frame and tab of a page ask at the same time", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0");
  const missing = new Set(["Session", "Model", "Versions"]);
  let answer = () => {};
  const asked = new Promise<void>((resolve) => (answer = resolve));
  await page.route("**/graphql", async (route) => {
    missing.delete(/^query (\w+)/.exec(route.request().postDataJSON().query)?.[1] ?? "");
    if (missing.size === 0) answer();
    // Nobody has an answer before all have asked.
    await asked;
    await route.continue();
  });
  await page.goto(`/${model}/versions`);
  await expect(page.getByRole("row").filter({ hasText: "1.0.0" })).toBeVisible();
});

test("what is not there is not titled as a page of it", async ({ page, api }) => {
  const project = await api.project();
  await page.goto(`/${project}/nothing/-/edit`);
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  await expect(page).toHaveTitle(`${project}/nothing · Model Registry`);
});

test.describe("offline", () => {
  test.use({ expectedComplaints: [/net::ERR_FAILED/] });

  test("without a connection a page says so and offers another try", async ({ page, api }) => {
    const project = await api.project();
    await page.goto("/");
    await page.getByRole("heading", { name: "Projects" }).waitFor();
    await page.route("**/graphql", (route) => route.abort());
    await page.goto(`/${project}`, { waitUntil: "commit" });
    await expect(page.getByText("No connection")).toBeVisible();
    await page.unroute("**/graphql");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByText("Publish the first model")).toBeVisible();
  });
});

test("a card shows pictures of the model's own files, and its tables as they are aligned", async ({ page, api }) => {
  const model = await api.model(await api.project(), "ocr", "");
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10"/></svg>';
  await api.version(model, "1.0.0", { "plots/roc curve.svg": svg, "docs/eval.md": "# How" });
  await api.graphql("mutation($input: UpdateModelInput!) { updateModel(input: $input) { model { id } } }", {
    input: {
      model,
      description: "![ROC](plots/roc%20curve.svg) [evaluation](docs/eval.md#how) [home](/)\n\n| set | cer |\n|:--|--:|\n| test | 0.0146 |\n",
    },
  });
  await page.goto(`/${model}`);
  const picture = page.getByRole("img", { name: "ROC" });
  await expect(picture).toHaveAttribute("src", `/files/${model}/1.0.0/plots/roc%20curve.svg`);
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(20);
  const link = page.getByRole("link", { name: "evaluation" });
  await expect(link).toHaveAttribute("href", `/files/${model}/1.0.0/docs/eval.md#how`);
  await expect(page.getByRole("link", { name: "home" })).toHaveAttribute("href", "/");
  const aligned = (name: string) =>
    page.getByRole("cell", { name }).evaluate((cell) => getComputedStyle(cell).textAlign);
  expect(await aligned("0.0146")).toBe("right");
  expect(await aligned("test")).toMatch(/left|start/);

  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByRole("button", { name: "Preview" }).click();
  await expect(picture).toHaveAttribute("src", /\/files\//);
});
