// A real nginx before a registry, set up as docs/operations.md says: http://ADDRESS/registry/.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The configuration that people paste. */
function documented(): string {
  const text = readFileSync("../docs/operations.md", "utf8");
  return text.match(/```nginx\n([^]*?)```/)?.[1] ?? "";
}

/** Passes on what comes to `address` to the registry at `behind`, with the path or without it. */
export async function startNginx(address: string, behind: string, strips: boolean): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "model-registry-nginx-"));
  let site = documented();
  const put = (written: string, here: string) => {
    if (site.split(written).length !== 2) throw new Error(`docs/operations.md has no ${written}`);
    site = site.replace(written, here);
  };
  put("listen 443 ssl;", `listen ${address};`);
  put("server_name example.org;", "");
  put("proxy_pass http://127.0.0.1:8080;", `proxy_pass http://${behind}${strips ? "/" : ""};`);
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const temporary = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n");
  const config = join(folder, "nginx.conf");
  writeFileSync(
    config,
    `daemon off;\nmaster_process off;\npid ${folder}/pid;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${site}\n}\n`,
  );
  const binary = existsSync("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx";
  const nginx: ChildProcess = spawn(binary, ["-e", join(folder, "error.log"), "-c", config], { stdio: "inherit" });
  const exited = once(nginx, "exit");
  const answers = () => fetch(`http://${address}/registry/readyz`).then((response) => response.ok, () => false);
  for (let attempt = 0; !(await answers()); attempt += 1) {
    if (nginx.exitCode !== null || attempt > 300) throw new Error("nginx does not answer");
    await sleep(100);
  }
  return async () => {
    nginx.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
}
