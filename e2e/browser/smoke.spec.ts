import { expect, test } from "@playwright/test";

test("the UI starts, without a word on the console", async ({ page }) => {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto("/");
  await expect(page).toHaveTitle(/Model Registry/);
  await expect(page.locator("body > *:not(script, noscript)").first()).toBeVisible();
  expect(complaints).toEqual([]);
});
