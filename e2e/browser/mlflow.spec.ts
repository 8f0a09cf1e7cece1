// A data scientist's day: two models trained and logged from Python, compared and promoted in the
// browser, loaded by alias from Python.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "./fixtures";

/** The interpreter of the virtual environment that scripts/setup-e2e makes. */
function python(): string {
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const cache = process.env.MODEL_REGISTRY_CACHE ?? join(caches, "model-registry");
  const interpreter = process.env.MODEL_REGISTRY_PYTHON ?? join(cache, "python/bin/python");
  if (!existsSync(interpreter)) throw new Error(`no ${interpreter}: run scripts/setup-e2e first`);
  return interpreter;
}

/** Runs a script as an MLflow user would: all it knows of the registry is in its environment. */
async function run(script: string, uri: string, token: string): Promise<string> {
  const { stdout } = await promisify(execFile)(python(), ["-W", "ignore", "-c", script], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      MLFLOW_TRACKING_URI: uri,
      MLFLOW_TRACKING_TOKEN: token,
      MLFLOW_DISABLE_TELEMETRY: "true",
      GIT_PYTHON_REFRESH: "quiet",
    },
    timeout: 240_000,
  });
  return stdout;
}

const train = `
import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

X, y = load_iris(return_X_y=True)
mlflow.set_experiment("[model]ocr")
for name, C in [("strong-yak", 1.0), ("weak-ant", 0.001)]:
    with mlflow.start_run(run_name=name):
        model = LogisticRegression(C=C, max_iter=500).fit(X, y)
        mlflow.log_param("C", C)
        mlflow.log_metric("accuracy", model.score(X, y))
        mlflow.sklearn.log_model(model, name="model", input_example=X[:2])
`;

const predict = `
import mlflow
from sklearn.datasets import load_iris

X, y = load_iris(return_X_y=True)
model = mlflow.sklearn.load_model("models:/ocr@champion")
print("C", model.C)
print("accuracy", (mlflow.pyfunc.load_model("models:/ocr@champion").predict(X) == y).mean())
`;

test("two candidates arrive from Python, the better one goes back there as champion", async ({ page, api, baseURL }) => {
  test.setTimeout(600_000);
  const project = await api.project();
  const model = await api.model(project, "ocr");
  const uri = `${baseURL}/mlflow/${project}`;
  const token = await api.token();

  await test.step("train and log, from Python", async () => {
    await page.goto(`/${model}/candidates`);
    await expect(page.getByText(`MLFLOW_TRACKING_URI=${uri}`)).toBeVisible();
    await run(train, uri, token);
  });

  await test.step("see them arrive; the better one is first by accuracy", async () => {
    await page.reload();
    await page.getByRole("button", { name: "accuracy" }).click();
    const names = page.getByRole("row").filter({ hasText: /strong-yak|weak-ant/ });
    await expect(names).toHaveCount(2);
    await expect(names.nth(0)).toContainText("strong-yak");
    await expect(names.nth(0)).toContainText("Finished");
    await page.getByRole("link", { name: "strong-yak" }).click();
  });

  await test.step("promote it", async () => {
    await expect(page.locator("dl")).toContainText("MLflow run");
    await page.getByRole("button", { name: "Promote" }).click();
    await expect(page.getByLabel("Version")).toHaveValue("1.0.0");
    await page.getByRole("button", { name: "Promote and publish" }).click();
    await expect(page).toHaveURL(`/${model}/versions/1.0.0`);
    await expect(page.getByText("sklearn", { exact: true })).toBeVisible();
    await expect(page.getByRole("region", { name: "Signature" })).toBeVisible();
  });

  await test.step("make it the champion", async () => {
    await page.getByRole("button", { name: "Add or move alias" }).click();
    await page.getByLabel("Alias", { exact: true }).fill("champion");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByText("champion now points to 1.0.0.")).toBeVisible();
    await page.getByRole("tab", { name: "By alias" }).click();
    await expect(page.getByText('uri = "models:/ocr@champion"')).toBeVisible();
  });

  await test.step("load it by its alias and predict, from Python", async () => {
    const said = await run(predict, uri, token);
    expect(said).toContain("C 1.0");
    expect(Number(/accuracy ([\d.]+)/.exec(said)?.[1])).toBeGreaterThan(0.95);
  });
});

test("the code that the pages show works as it is", async ({ page, api, baseURL, isMobile }) => {
  test.skip(isMobile, "it is the same on a phone");
  test.setTimeout(600_000);
  const project = await api.project();
  const uri = `${baseURL}/mlflow/${project}`;
  const token = await api.token();
  const code = async (tab: string) => {
    await page.getByRole("tab", { name: tab, exact: true }).click();
    return page.getByRole("tabpanel", { name: tab, exact: true }).innerText();
  };

  await test.step("of an empty project: log, register, promote, load", async () => {
    await page.goto(`/${project}`);
    const steps = [];
    for (const tab of ["Log", "Register", "Promote", "Load"]) steps.push(await code(tab));
    await run(steps.join("\n"), uri, token);
  });

  await test.step("of the run that it logged", async () => {
    await page.goto(`/${project}/-/experiments`);
    await page.getByRole("link", { name: "my-experiment" }).click();
    await page.getByRole("cell").getByRole("link").first().click();
    await expect(page.getByRole("heading", { level: 1 })).not.toHaveText("my-experiment");
    expect(await run(`${await code("MLflow")}\nprint("folder", folder)`, uri, token)).toMatch(/folder \S/);
  });

  await test.step("of the version that it registered", async () => {
    await page.goto(`/${project}/my-model/versions`);
    await page.getByRole("cell").getByRole("link").first().click();
    await expect(page.getByText("sklearn", { exact: true })).toBeVisible();
    const predict = "print('class', model.predict([[5.1, 3.5, 1.4, 0.2]]))";
    const steps = [await code("Load"), predict, await code("Promote"), await code("By alias"), predict];
    expect((await run(steps.join("\n"), uri, token)).match(/class \[0\]/g)).toHaveLength(2);
  });

  await test.step("of the model that is there: it is about the reader's own, and does nothing without it", async () => {
    await page.goto(`/${project}/my-model`);
    const register = await code("Register");
    expect(register).not.toContain("iris");
    const versions = async () => (await api.graphql("query($path: String!) { model(path: $path) { versionCount candidates { totalCount } } }", { path: `${project}/my-model` })).model;
    const before = await versions();
    await expect(run(register, uri, token)).rejects.toThrow("your_model");
    expect(await versions()).toEqual(before);
    await run(`from sklearn.dummy import DummyClassifier\nyour_model = DummyClassifier().fit([[0]], [0])\n${register}`, uri, token);
    expect((await versions()).versionCount).toBe(before.versionCount + 1);
    await page.goto(`/${project}/my-model/versions/1.0.0`);
    expect(await code("Register")).not.toContain("iris");
  });
});
