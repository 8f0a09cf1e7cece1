// tus-js-client, which Uppy uses, too, against the registry as it is: from Node, with a token.

import { createHash, randomBytes } from "node:crypto";

import * as tus from "tus-js-client";

import { expect, test } from "./fixtures";

type Result = "done" | "stopped";

test("tus-js-client uploads, stops and goes on", async ({ api, baseURL }) => {
  const model = await api.model(await api.project(), "ocr");
  await api.version(model, "1.0.0", {}, false);
  const headers = { authorization: `Bearer ${await api.token()}` };
  const bytes = randomBytes(20 << 20);

  let address: string | null = null;
  const run = (options: tus.UploadOptions, stopAt = Infinity) =>
    new Promise<Result>((resolve, reject) => {
      const upload = new tus.Upload(bytes, {
        endpoint: `${baseURL}/files/${model}/1.0.0/onnx/`,
        headers,
        metadata: { filename: "model.onnx", relativePath: "null" },
        uploadSize: bytes.length,
        onError: reject,
        onSuccess: () => resolve("done"),
        onChunkComplete: (_, sent) => {
          address = upload.url;
          if (sent >= stopAt) upload.abort().then(() => resolve("stopped"), reject);
        },
        ...options,
      });
      upload.start();
    });

  expect(await run({ chunkSize: 5 << 20, uploadDataDuringCreation: true }, 10 << 20)).toBe("stopped");
  const kept = await fetch(new URL(address!, baseURL), { method: "HEAD", headers: { ...headers, "tus-resumable": "1.0.0" } });
  expect(Number(kept.headers.get("upload-offset"))).toBeGreaterThanOrEqual(10 << 20);
  expect(await run({ uploadUrl: address, overridePatchMethod: true })).toBe("done");
  const file = await fetch(`${baseURL}/files/${model}/1.0.0/onnx/model.onnx`, { method: "HEAD", headers });
  expect(file.headers.get("etag")).toBe(`"${createHash("sha256").update(bytes).digest("hex")}"`);

  // What is not allowed is said in the registry's words; what is given up is gone.
  await expect(run({ metadata: { filename: "../x" } })).rejects.toThrow("path: must be relative");
  expect(await run({ metadata: { filename: "other" }, chunkSize: 1 << 20 }, 1 << 20)).toBe("stopped");
  await tus.Upload.terminate(address!, { headers });
  await expect(run({ uploadUrl: address, endpoint: null })).rejects.toThrow("404");
});
