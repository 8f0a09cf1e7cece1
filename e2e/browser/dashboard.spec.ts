// The small dashboard of e2e/gateway/dashboard, of another origin and behind a gateway: all ways to embed the registry in one page.

import { readFileSync } from "node:fs";

import { expect, test } from "@playwright/test";

import { file } from "../gateway/guide";
import { startHive } from "../gateway/hive";
import { serve, startDashboard } from "../gateway/servers";
import { admin, freeAddress, startRegistry } from "../server";

test("a dashboard shows models by stage with its deployments, a run as it goes on, a card and a badge", async ({ page }, { project }) => {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const pages = await serve((request, response) => {
      const name = request.url!.split("?")[0] === "/dashboard.js" ? "dashboard.js" : "index.html";
      response.setHeader("content-type", name.endsWith(".js") ? "text/javascript" : "text/html");
      response.end(readFileSync(`gateway/dashboard/${name}`));
    });
    ends.push(pages.stop);
    const flags = ["--allowed-origins", pages.url];
    const registry = await startRegistry({ address: await freeAddress(), name: `dashboard-${project.name}`, flags });
    ends.push(registry.stop);
    const authorization = `Basic ${Buffer.from(`${admin.username}:${admin.password}`).toString("base64")}`;
    const ask = async (query: string) => {
      const headers = { authorization, "content-type": "application/json" };
      const answer = await (await fetch(`${registry.url}/graphql`, { method: "POST", headers, body: JSON.stringify({ query }) })).json();
      expect(answer.errors, query).toBeUndefined();
      return answer.data;
    };
    await ask('mutation { createProject(input: {path: "vision"}) { project { id } } }');
    const { createModel } = await ask('mutation { createModel(input: {project: "vision", name: "ocr"}) { model { id } } }');
    const versions = [];
    for (const [version, alias] of [["1.0.0", "production"], ["1.1.0", "staging"]]) {
      const made = await ask(`mutation { createModelVersion(input: {model: "vision/ocr", version: "${version}"}) { modelVersion { id } }
        publishModelVersion(input: {model: "vision/ocr", version: "${version}"}) { modelVersion { id } }
        setAlias(input: {model: "vision/ocr", name: "${alias}", version: "${version}"}) { alias { id } } }`);
      versions.push(made.createModelVersion.modelVersion.id);
    }
    const { createCandidate } = await ask('mutation { createCandidate(input: {model: "vision/ocr"}) { candidate { number runId } } }');
    const { number, runId } = createCandidate.candidate;
    const soon = new Date(Date.now() + 86_400_000).toISOString();
    const tokens = await ask(`mutation { createToken(input: {name: "dashboard", scope: READ}) { secret }
      createEmbedToken(input: {project: "vision", name: "dashboard", origins: ["${pages.url}"], expiresAt: "${soon}", models: ["ocr"]}) { secret } }`);

    const typeDefs = file("dashboard.graphql");
    const deployments = [{ id: "d1", cluster: "eu-prod", model: createModel.model, version: { id: versions[0] } }];
    const dashboard = await startDashboard(typeDefs, deployments);
    ends.push(dashboard.stop);
    const gateway = await startHive(registry.url, dashboard.url, typeDefs);
    ends.push(gateway.stop);

    const address = new URLSearchParams({
      gateway: gateway.url,
      registry: registry.url,
      embed: tokens.createEmbedToken.secret,
      model: "vision/ocr",
      run: runId,
    });
    await page.goto(`${pages.url}/?${address}`);
    await expect(page.frameLocator("#card").getByText("1.0.0").first()).toBeVisible();
    await expect.poll(() => page.locator("#badge").evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(20);
    await page.locator("#token").fill(tokens.createToken.secret);
    await page.getByRole("button", { name: "Show" }).click();
    const row = page.locator("#models tr");
    await expect(row).toHaveText(["vision/ocr1.1.01.0.0eu-prod: 1.0.0"]);
    const metric = page.locator("#metric");
    await expect(metric).toContainText("RUNNING");
    await ask(`mutation { updateCandidate(input: {model: "vision/ocr", candidate: ${number}, metrics: [{name: "loss", value: 0.25, step: 7}]}) { candidate { id } } }`);
    await expect(metric).toContainText("loss 0.25 at step 7");
    // Who may not see the models is told so, and sees none.
    await page.locator("#token").fill("mrt_wrong");
    await page.getByRole("button", { name: "Show" }).click();
    await expect(page.locator("#said")).not.toHaveText("1 models");
  } finally {
    for (const end of ends.reverse()) await end();
  }
});
