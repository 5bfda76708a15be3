/** Looks at a server before it is trusted with locks: once after every connection, because another server may be there now. */
import type { Client } from "./driver.js";
import { codeOf, unsent } from "./failures.js";

const oldestMajor = 6;

/** Rejects with a `StoreError` that says what is to be changed when the server, which says this of itself, cannot carry locks. */
export async function inspect(
  said: string,
  client: Client,
  where: string,
  requireDurable: boolean,
): Promise<void> {
  const info = fieldsOf(said);
  const version = info.get("redis_version") ?? "";
  if (Number.parseInt(version, 10) < oldestMajor)
    throw unsent(`Redis at ${where} has version ${version}; ${oldestMajor} or later is needed.`, false);
  const policy = info.get("maxmemory_policy") ?? "";
  if (policy.startsWith("allkeys") && Number(info.get("maxmemory")) > 0)
    throw unsent(
      `Redis at ${where} would throw away locks when its memory is full: its maxmemory-policy is "${policy}". Set it to "noeviction".`,
      false,
    );
  if (requireDurable) await requireDurableServer(client, where, Number(info.get("connected_slaves")));
}

async function requireDurableServer(server: Client, where: string, replicas: number): Promise<void> {
  const refuse = (why: string) =>
    unsent(
      `Redis at ${where} may lose what it has acknowledged, and the URL says requireDurable: ${why}`,
      false,
    );
  const appendonly = await setting(server, "appendonly");
  const appendfsync = await setting(server, "appendfsync");
  if (appendonly === undefined || appendfsync === undefined)
    throw refuse("the user may not see how the server is configured (CONFIG GET).");
  if (appendonly !== "yes" || appendfsync !== "always")
    throw refuse(
      `its settings are "appendonly ${appendonly}" and "appendfsync ${appendfsync}". Needed are "appendonly yes" and "appendfsync always".`,
    );
  if (replicas > 0)
    throw refuse(`it has ${replicas} replicas, and one that takes over lacks what it has not received yet.`);
}

/** `undefined` when the user may not see it. */
async function setting(server: Client, name: string): Promise<string | undefined> {
  try {
    const reply: unknown = await server.config("GET", name);
    const value: unknown = Array.isArray(reply) ? reply[1] : undefined;
    return typeof value === "string" ? value : undefined;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function fieldsOf(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
