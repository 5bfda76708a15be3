/** Real processes with the built library, for the tests of several processes on one store. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Agent, type ProcessOptions, startProcess, type Work } from "./agent-process.js";

/** A folder for a store, as its URL and as a path; it goes with the test. */
export async function scratch(): Promise<{ readonly url: string; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "engram-lock-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { url: `file:${join(directory, "store")}`, directory };
}

/** Starts a process and waits until it is ready. It is killed with the test, if it is still there. */
export async function startAgent(
  url: string,
  work: Work,
  args: readonly unknown[] = [],
  options: ProcessOptions = {},
): Promise<Agent> {
  const agent = startProcess(url, work, args, options);
  onTestFinished(() => agent.signal("SIGKILL"));
  await agent.next();
  return agent;
}
