/**
 * Follows a document as a reader would: in a folder of its own, with the package installed and the command on the path, typing what the `sh` blocks
 * say into one shell, and running the `ts` blocks as programs. What a `text` block or a `// prints:` comment shows is what must come.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "../support/free-port.js";
import { type CodeBlock, repository } from "./documents.js";

const usualAddress = "127.0.0.1:7420";
/** Between what one block printed and what the next one does. */
const mark = "--- end of block ---";
/** A shell says so when a program in its background was killed. */
const killed = /^.*: line \d+: +\d+ Killed .*$\n?/gm;

/** What a block printed; lines without their ends. */
export interface Printed {
  readonly block: CodeBlock;
  readonly lines: readonly string[];
}

export class Reader {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "engram-lock-docs-")));
  readonly #port: number;
  readonly #started: ChildProcess[] = [];

  static async create(): Promise<Reader> {
    return new Reader(await freePort());
  }

  private constructor(port: number) {
    this.#port = port;
    const modules = join(this.folder, "node_modules");
    mkdirSync(modules);
    symlinkSync(repository, join(modules, "engram-lock"));
    symlinkSync(join(repository, "node_modules/@types"), join(modules, "@types"));
    writeFileSync(join(this.folder, "package.json"), '{ "type": "module" }');
    mkdirSync(join(this.folder, "bin"));
    // The documents name the usual port, which may be taken here.
    writeFileSync(
      join(this.folder, "bin/engram-lock"),
      `#!/bin/sh
main="${repository}dist/main.js"
if [ "$1" = serve ]; then shift; set -- serve --listen ${this.#address} "$@"; fi
exec "${process.execPath}" "$main" "$@"
`,
      { mode: 0o755 },
    );
  }

  get #address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get url(): string {
    return `http://${this.#address}`;
  }

  /** Types the blocks into one shell, one after the other. What they leave running runs until `clear`. */
  async type(blocks: readonly CodeBlock[]): Promise<Printed[]> {
    const script = blocks
      .map(({ code }) => `${code.replaceAll(usualAddress, this.#address)}\necho '${mark}'`)
      .join("\n");
    // It stays for what runs in its background, and takes that along when nobody ends it.
    const ending = "trap 'kill $(jobs -p)' EXIT";
    const shell = this.#start("bash", [
      "-euo",
      "pipefail",
      "-c",
      `${ending}\n${script}\nsleep 600 > /dev/null 2>&1`,
    ]);
    const output = collect(shell);
    const done = (): number => output.text.split(mark).length - 1;
    while (done() < blocks.length && !output.isOver) await output.change();
    const failed = blocks[done()];
    if (failed !== undefined)
      throw new Error(`The block in line ${failed.line} fails:\n${failed.code}\n${output.text}`);
    const parts = output.text.replace(killed, "").split(`${mark}\n`);
    return blocks.map((block, index) => ({ block, lines: linesOf(parts[index] ?? "") }));
  }

  /** Compiles the programs, which checks their types, and returns where they are. */
  async compile(programs: readonly string[]): Promise<string[]> {
    for (const [index, program] of programs.entries())
      writeFileSync(
        join(this.folder, `program-${index}.ts`),
        program.replaceAll(usualAddress, this.#address),
      );
    writeFileSync(
      join(this.folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          module: "nodenext",
          target: "es2022",
          lib: ["es2023", "esnext.disposable"],
          types: ["node"],
          strict: true,
          noUncheckedIndexedAccess: true,
          exactOptionalPropertyTypes: true,
          // As with an installed package: its own declarations are its own business.
          skipLibCheck: true,
          outDir: "compiled",
        },
        include: ["*.ts"],
      }),
    );
    await this.#run(join(repository, "node_modules/typescript/bin/tsc"), ["-p", this.folder]);
    return programs.map((_, index) => join(this.folder, `compiled/program-${index}.js`));
  }

  async runProgram(path: string): Promise<readonly string[]> {
    return linesOf(await this.#run(path, []));
  }

  async #run(script: string, args: readonly string[]): Promise<string> {
    const child = this.#start(process.execPath, [script, ...args]);
    const output = collect(child);
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`${script} ended with ${String(code)}:\n${output.text}`);
    return output.text;
  }

  #start(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: {
        PATH: `${join(this.folder, "bin")}:${process.env["PATH"] ?? ""}`,
        HOME: this.folder,
        LC_ALL: "C",
      },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that what it started ends with it.
      detached: true,
    });
    this.#started.push(child);
    return child;
  }

  clear(): void {
    for (const { pid } of this.#started) {
      try {
        if (pid !== undefined) process.kill(-pid, "SIGKILL");
      } catch {
        // All of its group has ended.
      }
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The programs of a document: a block `ts` begins one, a block `ts continued` goes on with it. */
export function programsIn(blocks: readonly CodeBlock[]): string[] {
  const programs: string[] = [];
  for (const { language, info, code } of blocks) {
    if (language !== "ts") continue;
    if (info === "continued") programs.push(`${programs.pop() ?? ""}\n\n${code}`);
    else programs.push(code);
  }
  return programs;
}

export function promisedBy(program: string): string[] {
  return [...program.matchAll(/^\s*\/\/ prints: (.*)$/gm)].map((match) => match[1] ?? "");
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

interface Output {
  text: string;
  isOver: boolean;
  /** Resolves when there is more, or when it is over. */
  change(): Promise<void>;
}

function collect(child: ChildProcess): Output {
  let tell: () => void = () => undefined;
  const output: Output = {
    text: "",
    isOver: false,
    change: () => new Promise((resolve) => (tell = resolve)),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output.text += text;
      tell();
    });
  }
  child.once("close", () => {
    output.isOver = true;
    tell();
  });
  return output;
}
