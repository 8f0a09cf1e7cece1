// Training runs that belong to no model: found, read, compared, and the best one made a version. And what
// MLflow's client needs and says is where people look for it.

import { type Page } from "@playwright/test";

import { type Api, expect, test, violations } from "./fixtures";

/** A project with an experiment of two runs. */
async function sweep(api: Api): Promise<{ project: string; experiment: string; runs: string[] }> {
  const project = await api.project();
  const experiment = await api.experiment(project, "learning rate sweep");
  const runs = [await api.run(project, experiment, "bold-crane", 0.93), await api.run(project, experiment, "shy-mole", 0.89)];
  return { project, experiment, runs };
}

/** The text that a copy button put into the clipboard. */
async function copied(page: Page, button: string): Promise<string> {
  // It is said for two seconds, which are over before it is looked for where the machine is busy.
  const said = page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const look = () => document.body.innerText.includes("Copied") && resolve();
        new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
      }),
  );
  await page.getByRole("button", { name: button }).click();
  await said;
  return page.evaluate(() => navigator.clipboard.readText());
}

test("runs without a model are found, filtered, sorted and compared", async ({ page, api }) => {
  const { project, experiment, runs } = await sweep(api);
  await api.experiment(project, "another");

  await test.step("the experiments of a project are searched by name", async () => {
    await page.goto(`/${project}`);
    await page.getByRole("link", { name: "Experiments" }).click();
    await expect(page).toHaveURL(`/${project}/-/experiments`);
    await expect(page.getByRole("link", { name: "another" })).toBeVisible();
    await page.getByRole("searchbox").fill("SWEEP");
    await expect(page.getByRole("link", { name: "another" })).toBeHidden();
    await expect(page.getByRole("row").filter({ hasText: "learning rate sweep" })).toContainText("2");
    await page.getByRole("link", { name: "learning rate sweep" }).click();
    await expect(page).toHaveURL(`/${project}/-/experiments/${experiment}`);
  });

  await test.step("its runs are filtered and sorted as candidates are", async () => {
    const names = page.getByRole("row").filter({ hasText: /-/ });
    await page.getByRole("button", { name: "accuracy" }).click();
    await expect(page).toHaveURL(/sort=-metric/);
    await expect(names.nth(0)).toContainText("bold-crane");
    await page.getByRole("button", { name: "accuracy" }).click();
    await expect(names.nth(0)).toContainText("shy-mole");
    await page.getByRole("combobox", { name: /^metrics/ }).fill("metrics.accuracy > 0.9");
    await expect(page.getByText("shy-mole")).toBeHidden();
    await expect(page.getByText("bold-crane")).toBeVisible();
    await page.getByRole("combobox", { name: /^metrics/ }).fill("");
    await expect(page.getByText("shy-mole")).toBeVisible();
  });

  await test.step("two are compared", async () => {
    const boxes = page.getByRole("checkbox", { name: /^Select / });
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.getByRole("link", { name: "Compare" }).click();
    await expect(page.getByRole("heading", { name: "Compare runs" })).toBeVisible();
    await expect(page.getByRole("cell", { name: /^0\.93/ })).toBeVisible();
    await page.getByRole("link", { name: "bold-crane" }).click();
    await expect(page).toHaveURL(`/${project}/-/runs/${runs[0]}`);
  });
});

test("the links that MLflow's client prints lead to its runs", async ({ page, api }) => {
  const { project, experiment, runs } = await sweep(api);
  const printed = `#/experiments/${experiment}`;
  await page.goto(`/mlflow/${project}/${printed}/runs/${runs[0]}`);
  await expect(page).toHaveURL(`/${project}/-/runs/${runs[0]}`);
  await page.goto(`/mlflow/${project}/${printed}`);
  await expect(page).toHaveURL(`/${project}/-/experiments/${experiment}`);
  await page.goto(`/${printed}/runs/${runs[1]}?workspace=${project}`);
  await expect(page).toHaveURL(`/${project}/-/runs/${runs[1]}`);
  await page.goto(`/mlflow/${project}/`);
  await expect(page).toHaveURL(`/${project}`);

  await test.step("those of a model's own experiment to its candidates", async () => {
    const model = await api.model(project, "ocr");
    await api.candidate(model, "calm-heron", 0.91, "0.1");
    const { model: found } = await api.graphql("query($path: String!) { model(path: $path) { experiment { number } } }", {
      path: model,
    });
    await page.goto(`/mlflow/${project}/#/experiments/${found.experiment.number}`);
    await expect(page).toHaveURL(`/${model}/candidates`);
    await expect(page.getByText("calm-heron")).toBeVisible();
  });
});

test("a run says where it came from, with links that are safe", async ({ page, api, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const { project, runs } = await sweep(api);
  await page.goto(`/${project}/-/runs/${runs[0]}`);
  await expect(page.getByRole("heading", { name: "bold-crane" })).toBeVisible();
  await expect(page.locator(".chart-plot").first()).toBeVisible();

  const fact = (term: string) => page.locator("dl > div").filter({ hasText: term });
  await expect(fact("User")).toContainText("ada");
  await expect(fact("Source")).toContainText("train.py");
  const commit = page.getByRole("link", { name: "0123456789ab" });
  const home = "https://gitlab.example.com/vision/ocr";
  await expect(commit).toHaveAttribute("href", `${home}/-/commit/0123456789abcdef0123456789abcdef01234567`);
  await expect(commit).toHaveAttribute("rel", "noopener noreferrer nofollow");
  await expect(page.getByRole("link", { name: "#4711" })).toHaveAttribute("href", `${home}/-/jobs/4711`);
  await expect(page.getByRole("link", { name: "#42" })).toHaveAttribute("href", `${home}/-/pipelines/42`);
  expect(await copied(page, "Copy the run ID")).toBe(runs[0]);

  await test.step("a tag that is a web address is a link, and nothing else is", async () => {
    const report = "https://reports.example.com/ocr?run=7";
    await expect(page.getByRole("link", { name: report })).toHaveAttribute("href", report);
    await expect(page.getByText("javascript:alert")).toBeVisible();
    await expect(page.getByRole("link", { name: "javascript" })).toHaveCount(0);
  });

  await test.step("what MLflow sets by itself is out of the way, and there", async () => {
    await expect(page.getByTitle("mlflow.user: ada")).toBeHidden();
    await page.getByText(/\d+ system tags/).click();
    await expect(page.getByTitle("mlflow.user: ada")).toBeVisible();
    await expect(page.locator("a[href*=secret]")).toHaveCount(0);
  });

  await test.step("it cannot be changed here", async () => {
    for (const name of ["Add tag", "Add files", "More actions for this run"]) {
      await expect(page.getByRole("button", { name })).toBeHidden();
    }
  });
});

test("a run without a model becomes a version of one that is chosen", async ({ page, api }) => {
  const { project, runs } = await sweep(api);
  await page.goto(`/${project}/-/runs/${runs[0]}`);

  await test.step("without a model in the project there is a way to make one", async () => {
    await page.getByRole("button", { name: "Promote" }).click();
    await expect(page.getByText("This project has no models yet.")).toBeVisible();
    await expect(page.getByRole("link", { name: "Create a model" })).toHaveAttribute("href", `/${project}/-/new`);
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Cancel" }).click();
  });

  const model = await api.model(project, "ocr");
  await api.version(model, "1.1.0", { "model.onnx": "old" });
  // A number that was published is not given again: another is proposed.
  await api.version(model, "1.1.1", { "model.onnx": "withdrawn" });
  await api.bury(model, "1.1.1");
  await page.getByRole("button", { name: "Promote" }).click();
  await page.getByLabel("Model").fill("oc");
  await expect(page.getByRole("button", { name: "Promote and publish" })).toBeDisabled();
  await page.getByLabel("Model").fill("ocr");
  await expect(page.getByLabel("Version")).toHaveValue("1.1.2");
  await page.getByRole("button", { name: /Minor/ }).click();
  await page.getByRole("button", { name: "Promote and publish" }).click();
  await expect(page).toHaveURL(`/${model}/versions/1.2.0`);

  await test.step("its address leads to the candidate that it is now", async () => {
    await page.goto(`/${project}/-/runs/${runs[0]}`);
    await expect(page).toHaveURL(`/${model}/candidates/1`);
    await expect(page.getByRole("heading", { name: "bold-crane" })).toBeVisible();
    await expect(page.getByText("Published as")).toBeVisible();
  });
});

test("a version shows what its MLmodel says, and how it is loaded", async ({ page, api, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const project = await api.project();
  const model = await api.model(project, "ocr");
  await api.mlmodel(model, "1.0.0");
  await api.version(model, "1.1.0", { "model.onnx": "weights" });
  await api.alias(model, "champion", "1.0.0");
  await api.mlflow(project, "model-versions/transition-stage", {
    name: "ocr",
    version: "1",
    stage: "Production",
    archive_existing_versions: false,
  });
  await page.goto(`/${model}/versions/1.0.0`);

  await test.step("flavours, signature, requirements, stage", async () => {
    const panel = page.locator("section").filter({ has: page.getByRole("heading", { name: "MLflow model" }) });
    await expect(panel).toContainText("sklearn");
    await expect(panel).toContainText("3.17.2");
    await expect(panel.getByRole("row", { name: "sepal length double" })).toContainText("yes");
    await expect(panel.getByRole("row", { name: "note string" })).toContainText("no");
    await expect(panel.getByRole("row", { name: "int64" })).toContainText("(-1,)");
    await expect(panel.getByRole("row", { name: "threshold" })).toContainText("0.5");
    await panel.getByText("4 requirements").click();
    expect(await copied(page, "Copy the requirements")).toContain("scikit-learn==1.9.1");
    await expect(page.getByText("Production", { exact: true })).toBeVisible();
  });

  await test.step("code that loads it as what it is", async () => {
    const panel = page.locator("section").filter({ has: page.getByRole("heading", { name: "Use with MLflow" }) });
    await expect(panel).toContainText(`MLFLOW_TRACKING_URI=${new URL(page.url()).origin}/mlflow/${project}`);
    await expect(panel).toContainText('uri = "models:/ocr/1"');
    await expect(panel).toContainText("mlflow.sklearn.load_model(uri)");
    await expect(panel).toContainText("mlflow.pyfunc.load_model(uri)");
    await panel.getByRole("tab", { name: "By alias" }).click();
    await expect(panel).toContainText('uri = "models:/ocr@champion"');
    await panel.getByRole("tab", { name: "Promote" }).click();
    await expect(panel).toContainText(/set_registered_model_alias\(\s*"ocr", "champion", "1"\s*\)/);
  });

  await test.step("and nothing of it where there is no MLmodel", async () => {
    await page.goto(`/${model}/versions/1.1.0`);
    await expect(page.getByRole("heading", { name: "Use with MLflow" })).toBeVisible();
    await expect(page.getByRole("heading", { name: "MLflow model" })).toBeHidden();
    await expect(page.getByText("download_artifacts").first()).toBeVisible();
  });
});

test("the tracking URI is where newcomers look", async ({ page, api, context, baseURL }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const project = await api.project();
  const uri = `${baseURL}/mlflow/${project}`;
  const setting = page.getByText(`MLFLOW_TRACKING_URI=${uri}`).first();

  await page.goto(`/${project}`);
  await expect(setting).toBeVisible();
  await expect(page.getByRole("paragraph").getByRole("link", { name: "Access tokens" })).toHaveAttribute("href", "/settings/tokens");
  expect(await copied(page, "Copy the environment")).toContain(`export MLFLOW_TRACKING_URI=${uri}\n`);
  await page.getByRole("tab", { name: "Register" }).click();
  expect(await copied(page, "Copy the snippet")).toContain('registered_model_name="my-model"');

  const model = await api.model(project, "ocr");
  for (const address of [`/${model}`, `/${model}/versions`, `/${model}/candidates`, `/${project}/-/experiments`]) {
    await page.goto(address);
    await expect(setting, address).toBeVisible();
    await expect(page.getByText("mlflow.set_experiment"), address).toBeVisible();
  }
  await page.goto(`/${project}`);
  await expect(setting).toBeVisible();
  expect(await copied(page, "Copy the tracking URI")).toBe(uri);
  await page.getByRole("button", { name: "Use with MLflow" }).click();
  await expect(page.getByText("mlflow.set_experiment")).toBeVisible();
  expect(await violations(page)).toEqual([]);
});
