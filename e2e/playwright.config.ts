import { defineConfig } from "@playwright/test";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

// CHROMIUM, or a browser on PATH, or the one that `npx playwright install chromium` brought.
function chromium(): string | undefined {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export default defineConfig({
  testDir: "browser",
  globalSetup: "./server.ts",
  forbidOnly: !!process.env.CI,
  retries: 0,
  // Long enough for the longest journey on a busy machine; what passes is none the slower.
  timeout: 120_000,
  workers: 2,
  reporter: "list",
  use: {
    // server.ts sets it, before any worker reads this file.
    baseURL: process.env.MODEL_REGISTRY_URL,
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: chromium(),
      // The browser's own background requests are no part of a test, and fail where there is no network.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "desktop", use: { viewport: { width: 1440, height: 900 } } },
    // Single sign-on and proxies have no page of their own, and a spec that starts servers does so once.
    { name: "phone", testIgnore: ["embedding.spec.ts", "oidc.spec.ts", "proxy.spec.ts"], use: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } },
  ],
});
