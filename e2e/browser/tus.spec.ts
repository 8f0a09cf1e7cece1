// tus-js-client, which Uppy uses, too, against the registry as it is: from Node, with a token.

import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";

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
  await expect(run({ metadata: { filename: "../x" } })).rejects.toThrow("path: must be a relative path");
  expect(await run({ metadata: { filename: "other" }, chunkSize: 1 << 20 }, 1 << 20)).toBe("stopped");
  await tus.Upload.terminate(address!, { headers });
  await expect(run({ uploadUrl: address, endpoint: null })).rejects.toThrow("404");
});

test("tus-js-client uploads parts at the same time, and goes on with each", async ({ api, baseURL }) => {
  const model = await api.model(await api.project(), "parallel");
  await api.version(model, "1.0.0", {}, false);
  const headers = { authorization: `Bearer ${await api.token()}` };
  const bytes = randomBytes(20 << 20);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const lost = new Error("the answer is lost");
  const parallel = (content: Buffer, filename: string, digest: string, options: Partial<tus.UploadOptions> = {}) =>
    new Promise<void>((resolve, reject) => {
      const upload = new tus.Upload(content, {
        endpoint: `${baseURL}/files/${model}/1.0.0/onnx/`,
        headers,
        parallelUploads: 4,
        chunkSize: 2 << 20,
        metadata: { filename, sha256: digest },
        retryDelays: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        onError: (error) => (error === lost ? upload.start() : reject(error)),
        onSuccess: () => resolve(),
        ...options,
      });
      upload.start();
    });
  const etag = async (path: string) => {
    const file = await fetch(`${baseURL}/files/${model}/1.0.0/onnx/${path}`, { method: "HEAD", headers });
    return file.headers.get("etag");
  };

  // The answers to every third piece, and to the first two requests to put them together, are lost on their way. Of the
  // latter the client gives up, and is started again, as by who presses a button.
  let pieces = 0;
  let finals = 0;
  const lossy = (request: tus.HttpRequest, response: tus.HttpResponse) => {
    const isFinal = request.getHeader("Upload-Concat")?.startsWith("final") ?? false;
    if (isFinal ? ++finals <= 2 : request.getMethod() === "PATCH" && ++pieces % 3 === 0) {
      expect(response.getStatus()).toBeLessThan(300);
      throw lost;
    }
  };
  await parallel(bytes, "model.onnx", sha256, { onAfterResponse: lossy });
  expect(finals).toBe(3);
  expect(await etag("model.onnx")).toBe(`"${sha256}"`);
  const whole = await fetch(`${baseURL}/files/${model}/1.0.0/onnx/model.onnx`, { headers });
  expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);

  // Fewer bytes than parts, and none: some parts are empty.
  for (const size of [2, 0]) {
    const few = randomBytes(size);
    const digest = createHash("sha256").update(few).digest("hex");
    await parallel(few, `few-${size}`, digest);
    expect(await etag(`few-${size}`)).toBe(`"${digest}"`);
  }
  await expect(parallel(bytes, "other", "0".repeat(64))).rejects.toThrow("sha256: does not match");
});

test("tus-js-client uploads what does not say how long it is", async ({ api, baseURL }) => {
  const model = await api.model(await api.project(), "deferred");
  await api.version(model, "1.0.0", {}, false);
  const headers = { authorization: `Bearer ${await api.token()}` };
  const bytes = randomBytes((5 << 20) + 7);
  const deferred = (content: Buffer | Readable, filename: string, chunkSize: number) =>
    new Promise<void>((resolve, reject) => {
      const upload = new tus.Upload(content, {
        endpoint: `${baseURL}/files/${model}/1.0.0/`,
        headers,
        uploadLengthDeferred: true,
        chunkSize,
        metadata: { filename },
        onError: reject,
        onSuccess: () => resolve(),
      });
      upload.start();
    });
  await deferred(bytes, "buffer", 2 << 20);
  await deferred(Readable.from(chunks(bytes)), "stream", 2 << 20);
  // The end falls together with that of a piece, after which nothing comes but the length.
  await deferred(Readable.from(chunks(bytes.subarray(0, 4 << 20))), "even", 2 << 20);
  for (const [name, content] of [["buffer", bytes], ["stream", bytes], ["even", bytes.subarray(0, 4 << 20)]] as const) {
    const file = await fetch(`${baseURL}/files/${model}/1.0.0/${name}`, { method: "HEAD", headers });
    expect(file.headers.get("etag"), name).toBe(`"${createHash("sha256").update(content).digest("hex")}"`);
  }
});

function* chunks(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}
