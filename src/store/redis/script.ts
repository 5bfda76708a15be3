/** A script that Redis runs, called by its digest, and by its text where Redis does not have it (any more). */
import { createHash } from "node:crypto";
import { Command } from "ioredis";
import type { Client } from "./driver.js";
import { codeOf } from "./failures.js";

export class Script {
  readonly #text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.#text = text;
    this.#digest = createHash("sha1").update(text).digest("hex");
  }

  async run(client: Client, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    try {
      return await client.sendCommand(new Call("evalsha", this.#digest, keys, args));
    } catch (error) {
      // It was not run. The text leaves it there for the next time.
      if (codeOf(error) !== "NOSCRIPT") throw error;
      return await client.sendCommand(new Call("eval", this.#text, keys, args));
    }
  }
}

/**
 * A command of many arguments, put into the form of the protocol at once: argument by argument, as ioredis does it, costs several times as much.
 * ioredis is shown the keys, by which it finds the server in a cluster.
 */
class Call extends Command {
  readonly #written: string;

  constructor(name: "eval" | "evalsha", script: string, keys: readonly string[], args: readonly string[]) {
    const shown = [script, `${keys.length}`, ...keys];
    super(name, shown, { replyEncoding: "utf8" });
    const parts = [`*${1 + shown.length + args.length}`];
    pushText(name, parts);
    for (const text of shown) pushText(text, parts);
    for (const text of args) pushText(text, parts);
    parts.push("");
    this.#written = parts.join("\r\n");
  }

  override toWritable(): string {
    return this.#written;
  }
}

function pushText(text: string, parts: string[]): void {
  parts.push(`$${Buffer.byteLength(text)}`, text);
}
