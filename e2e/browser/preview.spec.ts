// A look into files without downloading them: texts, tables, images; what is hostile in them stays text.

import { expect, test, violations } from "./fixtures";

const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const hostile = "<img src=x onerror=\"window.fired = true\"><script>window.fired = true</script>";

test("texts, JSON, tables and images are shown; nothing in them runs", async ({ page, api, request }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(
    model,
    "1.0.0",
    {
      "README.md": `# Weights\n${hostile}`,
      "config.json": '{"layers":[64,64],"lr":1.0}',
      "page.html": hostile,
      "drawing.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="window.fired = true"></svg>`,
      "scores.csv": `name,score\n"${hostile.replaceAll('"', '""')}",0.5\n`,
      "long.txt": "line\n".repeat(100_000),
      "empty.txt": "",
      "model.onnx": "weights",
    },
    false,
  );
  const put = await request.put(`/files/${model}/1.0.0/plots/roc.png`, { data: pixel });
  expect(put.ok()).toBe(true);
  await page.goto(`/${model}/versions/1.0.0`);
  const dialog = page.getByRole("dialog");
  const look = async (name: string) => {
    await page.getByRole("button", { name, exact: true }).click();
    await expect(dialog.getByRole("heading")).toContainText(name);
  };
  const close = async () => {
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
  };

  await look("config.json");
  await expect(dialog.locator("pre")).toHaveText('{\n  "layers": [\n    64,\n    64\n  ],\n  "lr": 1.0\n}');
  expect(await violations(page)).toEqual([]);
  await close();
  await look("scores.csv");
  await expect(dialog.getByRole("columnheader")).toHaveText(["name", "score"]);
  await expect(dialog.getByRole("cell")).toHaveText([hostile, "0.5"]);
  await close();
  await look("roc.png");
  const width = () => dialog.getByRole("img").evaluate((image: HTMLImageElement) => image.naturalWidth);
  await expect.poll(width).toBe(1);
  await close();
  for (const [name, text] of [
    ["README.md", hostile],
    ["page.html", hostile],
    ["drawing.svg", "onload="],
    ["empty.txt", ""],
  ]) {
    await look(name);
    await expect(dialog.locator("pre")).toContainText(text);
    await close();
  }
  await look("long.txt");
  await expect(dialog.getByText("only the first")).toBeVisible();
  await expect(dialog.locator("pre")).toContainText("line");
  await close();
  // What is no text is downloaded.
  await expect(page.getByRole("button", { name: "model.onnx", exact: true })).toHaveCount(0);
  await expect(page.getByRole("link", { name: "model.onnx", exact: true })).toBeVisible();
  expect(await page.evaluate(() => "fired" in window)).toBe(false);
});
