// Below a path, behind a real nginx that passes the path on or takes it off: the UI, its sockets, uploads,
// downloads, sign-in and the explorer stay below it.

import { type Page, expect, test } from "@playwright/test";

import { startNginx } from "../nginx";
import { type Registry, admin, freeAddress, startRegistry } from "../server";

for (const strips of [false, true]) {
  test.describe(strips ? "a proxy that takes the path off" : "a proxy that passes the path on", () => {
    let registry: Registry;
    let stopNginx: () => Promise<void>;
    let url: string;

    test.beforeAll(async () => {
      const [address, behind] = [await freeAddress(), await freeAddress()];
      url = `http://${address}/registry`;
      const flags = ["--public-url", url];
      registry = await startRegistry({ address: behind, name: `proxy-${strips}`, flags });
      stopNginx = await startNginx(address, behind, strips);
    });

    test.afterAll(async () => {
      await stopNginx?.();
      await registry?.stop();
    });

    test("a project is made, a file goes in, and a page changes by itself", async ({ page, context }) => {
      const outside: string[] = [];
      page.on("request", (request) => {
        const asked = request.url();
        if (!/^(data|blob):/.test(asked) && !asked.replace(/^ws/, "http").startsWith(url)) outside.push(asked);
      });
      page.on("websocket", (socket) => {
        if (!socket.url().replace(/^ws/, "http").startsWith(url)) outside.push(socket.url());
      });
      const complaints: string[] = [];
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("response", (response) => response.status() === 404 && complaints.push(response.url()));
      page.on("pageerror", (error) => complaints.push(String(error)));

      // From deep inside to the sign-in and back.
      await page.goto(`${url}/settings/tokens`);
      await expect(page).toHaveURL(`${url}/sign-in?next=%2Fregistry%2Fsettings%2Ftokens`);
      await page.locator("#username").fill(admin.username);
      await page.locator("#password").fill(admin.password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page).toHaveURL(`${url}/settings/tokens`);
      expect((await context.cookies(url))[0]).toMatchObject({ path: "/registry", httpOnly: true });

      const graphql = async (query: string, variables: object = {}) => {
        const answer = await page.request.post(`${url}/graphql`, { data: { query, variables } });
        const { data, errors } = await answer.json();
        expect(errors).toBeUndefined();
        return data;
      };
      const model = { project: "vision", name: "ocr", description: "# OCR" };
      await graphql('mutation { createProject(input: {path: "vision"}) { project { path } } }');
      await graphql("mutation($input: CreateModelInput!) { createModel(input: $input) { model { path } } }", { input: model });
      await graphql('mutation { createModelVersion(input: {model: "vision/ocr", version: "1.0.0"}) { modelVersion { version } } }');

      // By links, as people go.
      await page.goto(`${url}/`);
      await page.getByRole("link", { name: "vision" }).first().click();
      await expect(page).toHaveURL(`${url}/vision`);
      await page.getByRole("link", { name: /\bocr\b/ }).first().click();
      await expect(page).toHaveURL(`${url}/vision/ocr`);
      await page.getByRole("link", { name: /^Versions/ }).click();
      await expect(page).toHaveURL(`${url}/vision/ocr/versions`);
      await page.getByRole("link", { name: "1.0.0" }).first().click();
      await expect(page).toHaveURL(`${url}/vision/ocr/versions/1.0.0`);

      await page.locator("input[type=file]").first().setInputFiles({
        name: "model.bin",
        mimeType: "application/octet-stream",
        buffer: Buffer.alloc(1 << 20, 7),
      });
      await expect(page.getByRole("treeitem", { name: /model\.bin/ }).or(page.getByText("model.bin").first())).toBeVisible();
      await expect
        .poll(async () => (await page.request.head(`${url}/files/vision/ocr/1.0.0/model.bin`)).status())
        .toBe(200);

      // Live, through the proxy's socket.
      await graphql('mutation { publishModelVersion(input: {model: "vision/ocr", version: "1.0.0"}) { modelVersion { state } } }');
      await graphql('mutation { setAlias(input: {model: "vision/ocr", name: "champion", version: "1.0.0"}) { alias { name } } }');
      await expect(page.getByText("champion").first()).toBeVisible();

      // The snippet that is shown leads here.
      await expect(page.getByText(`${url}/files/vision/ocr/`).first()).toBeAttached();

      await page.goto(`${url}/graphql`);
      await expect(page.locator(".graphiql-container")).toBeVisible();
      await reload(page, `${url}/vision/ocr/versions/1.0.0`);
      await expect(page.getByRole("heading", { name: /1\.0\.0/ }).first()).toBeVisible();
      expect(outside, "nothing is asked for outside of the path").toEqual([]);
      expect(complaints, "the console stays silent").toEqual([]);
    });
  });
}

async function reload(page: Page, address: string) {
  await page.goto(address);
  await page.reload();
}
