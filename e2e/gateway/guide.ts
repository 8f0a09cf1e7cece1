// docs/federation.md: its files and queries, to be run as they stand there.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const page = readFileSync("../docs/federation.md", "utf8");
const files = new Map([...page.matchAll(/^`([\w.]+)`\n\n```\w+\n(.*?)^```/gms)].map(([, name, text]) => [name, text]));

/** The file of this name that the page shows. */
export function file(name: string): string {
  const text = files.get(name);
  if (text === undefined) throw new Error(`docs/federation.md has no file ${name}`);
  return text;
}

/** The text of the first block of GraphQL that begins so. */
export function operation(beginning: string): string {
  const found = [...page.matchAll(/^```graphql\n(.*?)^```/gms)].find(([, text]) => text.startsWith(beginning));
  if (!found) throw new Error(`docs/federation.md has no ${beginning}`);
  return found[1];
}

/** The first two cells of each row of the table below this heading. */
export function table(heading: string): Map<string, string> {
  const [, chapter] = page.split(`# ${heading}\n`);
  const lines = chapter.split(/^#/m)[0].split("\n").filter((line) => line.startsWith("| "));
  return new Map(lines.slice(1).map((line) => line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")) as [string, string]));
}

/** A folder of somebody who follows the page: these files are there, and the packages that it installs. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "model-registry-gateway-"));

  constructor() {
    symlinkSync(resolve("gateway/node_modules"), join(this.path, "node_modules"));
    this.write("package.json", '{ "type": "module" }');
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  copy(from: string, name: string): void {
    copyFileSync(from, join(this.path, name));
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  /** Runs the program of this name that the page shows, with what its environment has besides; its exports. */
  async run(name: string, environment: Record<string, string> = {}): Promise<any> {
    this.write(name, file(name));
    Object.assign(process.env, environment);
    const before = process.cwd();
    process.chdir(this.path);
    try {
      return await import(pathToFileURL(join(this.path, name)).href);
    } finally {
      process.chdir(before);
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
