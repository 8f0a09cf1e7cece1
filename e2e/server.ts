// Playwright's global setup: the release binary, on a free port with an empty data folder, for the
// whole run. Its log is in test-results/server.log.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Who the tests sign in as. */
export const admin = { username: "admin", password: "correct horse battery staple" };

export default async function startServer(): Promise<() => Promise<void>> {
  const target = process.env.CARGO_TARGET_DIR ?? resolve("../target");
  const binary = process.env.MODEL_REGISTRY_BIN ?? join(target, "release/model-registry");
  if (!existsSync(binary)) throw new Error(`no ${binary}: run 'make build' first`);

  const data = mkdtempSync(join(tmpdir(), "model-registry-e2e-"));
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  mkdirSync("test-results", { recursive: true });
  const log = "test-results/server.log";
  const output = openSync(log, "w");
  const server = spawn(binary, ["serve", "--listen", address, "--data", data], {
    env: { ...foreignEnvironment(), MODEL_REGISTRY_ADMIN_PASSWORD: admin.password },
    stdio: ["ignore", output, output],
  });
  const exited = once(server, "exit");

  async function stop() {
    server.kill("SIGTERM");
    const kill = setTimeout(() => server.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(kill);
    rmSync(data, { recursive: true, force: true });
  }

  for (let attempt = 0; !(await isReady(url)); attempt += 1) {
    if (server.exitCode !== null || attempt > 100) {
      await stop();
      throw new Error(`the server does not become ready:\n${readFileSync(log, "utf8")}`);
    }
    await sleep(100);
  }
  process.env.MODEL_REGISTRY_URL = url;
  return stop;
}

// A developer's own settings must not lead a test to a database that is in use.
function foreignEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("MODEL_REGISTRY_")));
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`).then((response) => response.ok, () => false);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
