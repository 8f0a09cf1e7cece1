import { defineConfig } from "@playwright/test";

// Its runner only: no test here opens a browser.
export default defineConfig({
  testDir: ".",
  outputDir: "../test-results",
  globalSetup: "../server.ts",
  forbidOnly: !!process.env.CI,
  retries: 0,
  workers: 1,
  reporter: "dot",
});
