// Prompts: listed apart from models, read, written, compared and deleted in the browser.

import { type Api, expect, signIn, test, violations } from "./fixtures";

const list = (project: string) => `/${project}/-/prompts`;

/** A prompt with two versions, as MLflow's client registers them; its path. */
async function prompt(api: Api, project: string): Promise<string> {
  await api.mlflow(project, "registered-models/create", {
    name: "summary",
    tags: [{ key: "mlflow.prompt.is_prompt", value: "true" }, { key: "_mlflow_experiment_ids", value: ",1," }],
  });
  const version = (text: string, description: string, more: object[] = []) =>
    api.mlflow(project, "model-versions/create", {
      name: "summary",
      source: "prompt-template",
      description,
      tags: [
        { key: "mlflow.prompt.is_prompt", value: "true" },
        { key: "mlflow.prompt.text", value: text },
        { key: "_mlflow_prompt_type", value: "text" },
        ...more,
      ],
    });
  await version("Summarize the text.\n\nText: {{text}}", "The first");
  const format = { key: "_mlflow_prompt_response_format", value: '{"type":"object"}' };
  await version("Summarize in {{ count }} sentences.\n\nText: {{text}}", "Shorter answers", [format]);
  return `${project}/summary`;
}

test("prompts have a list and pages of their own", async ({ page, api, isMobile }) => {
  const project = await api.project();
  await api.model(project, "net");
  const path = await prompt(api, project);

  await page.goto(`/${project}`);
  await expect(page.getByRole("link", { name: /^Models/ })).toContainText("1");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.getByRole("navigation", { name: "Project" }).getByRole("link", { name: /^Prompts/ }).click();
  await expect(page).toHaveURL(list(project));
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await expect(page.locator("tbody tr")).toContainText("Summarize in {{ count }} sentences.");
  await expect(page.getByText("_mlflow_experiment_ids")).toBeHidden();
  expect(await violations(page)).toEqual([]);

  await page.getByRole("link", { name: "summary", exact: true }).click();
  const template = page.locator("section", { has: page.getByRole("heading", { name: "Template" }) });
  await expect(template.locator("pre").first()).toHaveText("Summarize in {{ count }} sentences.\n\nText: {{text}}");
  await expect(template.locator("mark")).toHaveText(["{{ count }}", "{{text}}"]);
  await expect(template).toContainText("Variables: count, text");
  await template.getByText("Response format").click();
  await expect(template).toContainText('"type": "object"');
  await expect(page.getByText("Model card")).toBeHidden();
  await expect(page.getByRole("link", { name: /^Runs/ })).toBeHidden();
  await expect(page.locator("#mlflow-panel")).toContainText('load_prompt("prompts:/summary@latest")');
  expect(await violations(page)).toEqual([]);

  await test.step("its versions and what differs between them", async () => {
    await page.getByRole("link", { name: /^Versions/ }).click();
    await expect(page.locator("tbody tr")).toHaveCount(2);
    await expect(page.locator("tbody tr").first()).toContainText("Summarize in");
    await expect(page.getByRole("columnheader", { name: "Size" })).toBeHidden();
    expect(await violations(page)).toEqual([]);
    await page.locator("tbody tr").first().getByRole("link").first().click();
    await expect(template.locator("mark")).toHaveCount(2);
    await expect(page.getByRole("heading", { name: "Files" })).toBeHidden();
    await expect(page.getByText("prompt-template")).toBeHidden();
    await expect(page.getByText("Shorter answers")).toBeVisible();
    await page.getByText("Compare with 1.0.0").click();
    const changes = page.locator(".text-diff").first();
    await expect(changes.locator("del")).toHaveText(["− Summarize the text."]);
    await expect(changes.locator("ins")).toHaveText(["+ Summarize in {{ count }} sentences."]);
    expect(await violations(page)).toEqual([]);
    await page.getByRole("link", { name: "Side by side" }).click();
    await expect(page.getByRole("heading", { name: "Template", exact: true })).toBeVisible();
    await expect(page.getByRole("heading", { name: "Files" })).toBeHidden();
  });

  await test.step("found by name, and in the list of all projects", async () => {
    await page.goto("/-/prompts?q=summary");
    await expect(page.getByRole("link", { name: `${project}/summary` })).toBeVisible();
    if (isMobile) return;
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: /^Find/ }).fill(path);
    await expect(page.getByRole("option", { name: path }).first()).toContainText("Prompt");
  });
});

test("a prompt is written in the browser", async ({ page, api }) => {
  const project = await api.project();
  await page.goto(list(project));
  await expect(page.getByText("Register the first prompt")).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: "New prompt" }).first().click();
  await page.getByLabel("Name").fill("my greeting");
  await expect(page.getByText("Use letters A to Z, digits, hyphens, underscores and dots.")).toBeVisible();
  await page.getByLabel("Name").fill("greeting");
  await page.getByRole("textbox", { name: "Template" }).fill("Hello {{name}}");
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Create prompt" }).click();
  await expect(page).toHaveURL(`/${project}/greeting`);
  await expect(page.locator("mark")).toHaveText(["{{name}}"]);

  await test.step("its next version begins as the last one, and may be a chat", async () => {
    await page.getByRole("link", { name: "New version" }).click();
    await expect(page.getByRole("textbox", { name: "Template" })).toHaveValue("Hello {{name}}");
    await page.getByLabel("Type").selectOption("chat");
    await expect(page.getByText("Enter the messages as JSON")).toBeVisible();
    await expect(page.getByRole("button", { name: "Publish version" })).toBeDisabled();
    await page.getByRole("textbox", { name: "Template" }).fill('[{"role": "system", "content": "Greet {{name}}."}]');
    // Left and come back to: the type comes back with the text, and nothing is published meanwhile.
    await page.reload();
    await expect(page.getByRole("button", { name: "Publish version" })).toBeDisabled();
    await page.getByRole("button", { name: "Continue editing" }).click();
    await expect(page.getByLabel("Type")).toHaveValue("chat");
    await page.getByLabel("What changed").fill("A chat now");
    await page.getByRole("button", { name: "Publish version" }).click();
    await expect(page.getByText("A chat now")).toBeVisible();
    await expect(page.getByText("system", { exact: true })).toBeVisible();
    await expect(page.locator("pre", { hasText: "Greet {{name}}." }).first()).toBeVisible();
    await expect(page.getByText("Draft")).toBeHidden();
    expect(await violations(page)).toEqual([]);
  });

  await test.step("it is kept as MLflow's client keeps it", async () => {
    const query = "query($path: String!) { model(path: $path) { kind latestVersion { tags { key value } prompt { messages { role content } } } } }";
    const { kind, latestVersion } = (await api.graphql(query, { path: `${project}/greeting` })).model;
    expect([kind, latestVersion.prompt.messages]).toEqual(["PROMPT", [{ role: "system", content: "Greet {{name}}." }]]);
    expect(latestVersion.tags.map((tag: { key: string }) => tag.key)).toEqual([
      "_mlflow_prompt_type",
      "mlflow.prompt.is_prompt",
      "mlflow.prompt.text",
    ]);
  });

  await test.step("it is deleted, and comes back", async () => {
    await page.goto(`/${project}/greeting/-/edit`);
    await page.getByRole("button", { name: "Delete prompt" }).click();
    await expect(page.getByRole("dialog")).toContainText("The prompt moves to the project's trash, with 2 versions.");
    await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    await expect(page).toHaveURL(list(project));
    await page.locator(".toast-card").getByRole("button", { name: "Undo" }).click();
    await expect(page).toHaveURL(`/${project}/greeting`);
  });
});

test("who may only read sees prompts where there are some, and no way to write one", async ({ api, stranger }) => {
  const [with_, without] = [await api.project("PUBLIC"), await api.project("PUBLIC")];
  await prompt(api, with_);
  const ada = await api.person("ada");
  const page = await stranger();
  await signIn(page, ada);
  await page.goto(`/${with_}`);
  await page.getByRole("navigation", { name: "Project" }).getByRole("link", { name: /^Prompts/ }).click();
  await expect(page.getByRole("link", { name: "summary", exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: "New prompt" })).toBeHidden();
  await page.goto(`/${without}`);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("navigation", { name: "Project" }).getByRole("link", { name: /^Prompts/ })).toBeHidden();
});
