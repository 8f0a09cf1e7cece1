// Playwright's global setup: the release binary, on a free port with an empty data folder, for the
// whole run. Its log is in test-results/server.log. Journeys that need flags start their own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Who the tests sign in as. */
export const admin = { username: "admin", password: "correct horse battery staple" };

export type Registry = {
  url: string;
  /** Its folder. */
  data: string;
  /** What it has logged so far. */
  log: () => string;
  stop: () => Promise<void>;
  /** Ends it as a machine does that loses its power. */
  kill: () => Promise<void>;
};

type Options = {
  address: string;
  /** What its log is called. */
  name: string;
  flags?: string[];
  environment?: NodeJS.ProcessEnv;
};

export default async function startServer(): Promise<() => Promise<void>> {
  const { url, stop } = await startRegistry({ address: await freeAddress(), name: "server" });
  process.env.MODEL_REGISTRY_URL = url;
  return stop;
}

/** The binary with an empty data folder, ready to serve. */
export async function startRegistry({ address, name, flags = [], environment = {} }: Options): Promise<Registry> {
  const target = process.env.CARGO_TARGET_DIR ?? resolve("../target");
  const binary = process.env.MODEL_REGISTRY_BIN ?? join(target, "release/model-registry");
  if (!existsSync(binary)) throw new Error(`no ${binary}: run 'make build' first`);

  const data = mkdtempSync(join(tmpdir(), "model-registry-e2e-"));
  const url = `http://${address}`;
  mkdirSync("test-results", { recursive: true });
  const file = `test-results/${name}.log`;
  const output = openSync(file, "w");
  const server = spawn(binary, ["serve", "--listen", address, "--data", data, ...flags], {
    env: { ...foreignEnvironment(), MODEL_REGISTRY_ADMIN_PASSWORD: admin.password, ...environment },
    stdio: ["ignore", output, output],
  });
  const exited = once(server, "exit");
  const log = () => readFileSync(file, "utf8");

  async function stop() {
    server.kill("SIGTERM");
    const kill = setTimeout(() => server.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(kill);
    rmSync(data, { recursive: true, force: true });
  }

  async function kill() {
    server.kill("SIGKILL");
    await exited;
  }

  for (let attempt = 0; !(await isReady(url)); attempt += 1) {
    if (server.exitCode !== null || attempt > 600) {
      await stop();
      throw new Error(`the server does not become ready:\n${log()}`);
    }
    await sleep(100);
  }
  return { url, data, log, stop, kill };
}

// A developer's own settings must not lead a test to a database that is in use.
function foreignEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("MODEL_REGISTRY_")));
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`).then((response) => response.ok, () => false);
}

/** A loopback address that nobody listens on. */
export async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `127.0.0.1:${port}`;
}
