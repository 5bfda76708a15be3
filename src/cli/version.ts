/** `version`: what this is and what it runs on. */
import process from "node:process";
import type { Call } from "./call.js";
import { exitCodes } from "./exit-codes.js";

export async function version(call: Call): Promise<number> {
  const json = {
    version: call.wiring.version,
    node: process.versions.node,
    platform: process.platform,
    architecture: process.arch,
  };
  await call.out.result(
    json,
    () => `engram-lock ${json.version} (Node.js ${json.node}, ${json.platform} ${json.architecture})`,
  );
  return exitCodes.done;
}
