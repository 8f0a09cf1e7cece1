// A maintainer adds a webhook, tests it, sees what it was sent and sends it again; by keyboard, on a desk and on a phone.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";

import { type Page } from "@playwright/test";

import { type Registry, freeAddress, startRegistry } from "../server";
import { Api, expect, test, violations } from "./fixtures";

/** What it was sent; answers 200, or as it is told. */
class Receiver {
  bodies: { type?: string; data?: Record<string, unknown> }[] = [];
  status = 200;
  readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => (text += chunk));
      request.on("end", () => {
        this.bodies.push(JSON.parse(text));
        response.writeHead(this.status).end();
      });
    });
  }

  async listen(): Promise<string> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`;
  }
}

const looksRight = async (page: Page, name: string, isMobile: boolean) => {
  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await page.screenshot({ path: `test-results/webhooks/${name}${isMobile ? "-phone" : ""}.png`, fullPage: true });
};

test.describe("with a receiver", () => {
  let server: Registry;
  let receiver: Receiver;

  test.beforeEach(async ({}, info) => {
    const flags = ["--no-auth", "--webhook-allow", "127.0.0.0/8"];
    server = await startRegistry({ address: await freeAddress(), name: `webhooks-${info.project.name}`, flags });
    receiver = new Receiver();
  });
  test.afterEach(async () => {
    receiver.server.close();
    await server.stop();
  });

  test("a maintainer has another service be told, and sees what it was sent", async ({ page, playwright, isMobile }) => {
    if (isMobile) await page.setViewportSize({ width: 360, height: 780 });
    const url = await receiver.listen();
    const api = new Api(await playwright.request.newContext({ baseURL: server.url }));
    const project = await api.project();
    const model = await api.model(project, "ocr");
    await api.version(model, "1.0.0", { "a.txt": "a" });

    await test.step("adds one by keyboard", async () => {
      await page.goto(`${server.url}/${project}`);
      await page.getByRole("link", { name: "Webhooks" }).click();
      await expect(page.getByText("No webhooks yet")).toBeVisible();
      await looksRight(page, "none", isMobile);
      await page.getByRole("button", { name: "New webhook" }).press("Enter");
      const form = page.getByRole("dialog", { name: "New webhook" });
      await expect(form.getByLabel("Name", { exact: true })).toBeFocused();
      await page.keyboard.type("deploy");
      await page.keyboard.press("Tab");
      await page.keyboard.type("http://10.0.0.1/");
      await page.keyboard.press("Enter");
      await expect(form.getByText("--webhook-allow")).toBeVisible();
      await form.getByLabel("URL").fill(url);
      await form.getByLabel("Aliases").fill("prod*");
      await looksRight(page, "form", isMobile);
      await page.keyboard.press("Enter");
      await expect(page.getByText("Copy the secret now")).toBeVisible();
      await expect(page.getByTestId("webhook-secret")).toContainText("whsec_");
    });

    const line = page.getByRole("list", { name: "Webhooks" }).getByRole("listitem");
    await test.step("sends a test", async () => {
      await expect(line).toContainText("alias.*, version.* · only aliases prod*");
      await line.getByRole("button", { name: "Send test" }).click();
      await expect(page.getByText("Test of “deploy”: answered 200")).toBeVisible();
      expect(receiver.bodies[0].type).toBe("webhook.test");
      await looksRight(page, "one", isMobile);
    });

    await test.step("sees what was sent, and what failed, and sends it again", async () => {
      receiver.status = 503;
      await api.alias(model, "production", "1.0.0");
      await line.getByRole("button", { name: "Deliveries" }).click();
      const dialog = page.getByRole("dialog", { name: "Deliveries of “deploy”" });
      const first = dialog.getByRole("list", { name: "Deliveries" }).getByRole("listitem").first();
      await expect(first).toContainText("alias.set");
      await expect(async () => {
        await dialog.getByRole("button", { name: "Refresh" }).click();
        await expect(first).toContainText("answered 503", { timeout: 1_000 });
      }).toPass();
      await expect(first).toContainText("Pending");
      await first.locator("summary").press("Enter");
      await expect(first).toContainText("It is tried again");
      await expect(first).toContainText(`"alias": "production"`);
      await looksRight(page, "deliveries", isMobile);
      receiver.status = 200;
      await api.alias(model, "prod-us", "1.0.0");
      const told = () => receiver.bodies.filter((body) => body.data?.alias === "prod-us");
      await expect(async () => {
        await dialog.getByRole("button", { name: "Refresh" }).click();
        await expect(first).toContainText("Delivered", { timeout: 1_000 });
      }).toPass();
      await first.locator("summary").click();
      await first.getByRole("button", { name: "Send again" }).click();
      await expect(page.getByText("1 message is sent again.")).toBeVisible();
      await expect.poll(() => told().length).toBe(2);
      expect(told()[1]).toEqual(told()[0]);
      await page.keyboard.press("Escape");
      await expect(dialog).toBeHidden();
    });

    await test.step("changes, disables and enables it", async () => {
      const more = line.getByRole("button", { name: "More for deploy" });
      await more.click();
      await line.getByRole("button", { name: "Edit" }).click();
      const form = page.getByRole("dialog", { name: "Edit “deploy”" });
      await form.getByLabel("Name", { exact: true }).fill("deploy to production");
      await form.getByRole("button", { name: "Save webhook" }).click();
      await expect(line).toContainText("deploy to production");
      await line.getByRole("button", { name: "More for" }).click();
      await line.getByRole("button", { name: "Disable" }).click();
      await expect(line).toContainText("It was disabled by somebody who manages it.");
      await line.getByRole("button", { name: "More for" }).click();
      await line.getByRole("button", { name: "Enable" }).click();
      await expect(line).toContainText("Active");
    });

    await test.step("is told on every page of the project when it fails", async () => {
      receiver.status = 410;
      await api.alias(model, "prod-eu", "1.0.0");
      await expect(async () => {
        await page.reload();
        await expect(line).toContainText("410 (Gone)", { timeout: 1_000 });
      }).toPass();
      await looksRight(page, "disabled", isMobile);
      await page.getByRole("link", { name: "Audit log" }).click();
      await expect(page.getByText("Webhooks that fail: “deploy to production”.")).toBeVisible();
      await expect(page.getByText("The registry disabled webhook deploy to production")).toBeVisible();
      await looksRight(page, "banner", isMobile);
      await page.getByRole("link", { name: "See why" }).click();
      await expect(page.getByText("Webhooks that fail")).toBeHidden();
    });

    await test.step("deletes it", async () => {
      await line.getByRole("button", { name: "More for" }).click();
      await line.getByRole("button", { name: "Delete" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete webhook" }).click();
      await expect(page.getByText("No webhooks yet")).toBeVisible();
      await page.goto(`${server.url}/${project}/-/audit`);
      await expect(page.getByText("deleted webhook deploy to production")).toBeVisible();
      await page.goto(`${server.url}/admin/webhooks`);
      await expect(page.getByRole("heading", { level: 1, name: "Webhooks" })).toBeVisible();
      await expect(page.getByText("No webhooks yet")).toBeVisible();
    });
  });
});
