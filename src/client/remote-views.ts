/** What can be looked at on a server. */
import { invalid } from "../errors.js";
import type {
  AgentState,
  CallOptions,
  CheckResult,
  ListFilter,
  Lock,
  LockPage,
  LockStats,
  ResourceState,
} from "../lock-manager.js";
import { agentStateFromJson, agentStateSchema } from "../protocol/agent-state.js";
import { checkResultFromJson, checkResultSchema } from "../protocol/check.js";
import { lockPageSchema } from "../protocol/list.js";
import { lockFromJson } from "../protocol/lock.js";
import { resourceStateFromJson, resourceStateSchema } from "../protocol/resource-state.js";
import { statsFromJson, statsSchema } from "../protocol/stats.js";
import type { ServerCalls } from "./server-calls.js";

export class RemoteViews {
  readonly #calls: ServerCalls;

  constructor(calls: ServerCalls) {
    this.#calls = calls;
  }

  async lock(resourcePath: string, options: CallOptions): Promise<Lock | undefined> {
    const { holders } = await this.resource(resourcePath, options);
    return holders[0];
  }

  async resource(resourcePath: string, { signal }: CallOptions): Promise<ResourceState> {
    // Without this the address would be that of the root.
    if (resourcePath === "") throw invalid("resourcePath", resourcePath, 'a path such as "/repo/src/a.ts"');
    const path = `/v1/resources/${encode("resourcePath", resourcePath)}`;
    const action = `look at ${JSON.stringify(resourcePath)}`;
    return resourceStateFromJson(
      await this.#calls.read({ method: "GET", path, action, signal }, resourceStateSchema),
    );
  }

  async list(filter: ListFilter): Promise<LockPage> {
    const query = new URLSearchParams();
    const add = (name: string, value: string | number | undefined): void => {
      if (value !== undefined) query.set(name, String(value));
    };
    add("prefix", filter.prefix);
    add("agent_id", filter.agentId);
    add("resource_type", filter.resourceType);
    add("mode", filter.mode);
    add("expiring_within", filter.expiringWithin);
    add("limit", filter.limit);
    add("cursor", filter.cursor);
    const path = `/v1/locks?${query.toString()}`;
    const page = await this.#calls.read(
      { method: "GET", path, action: "list locks", signal: filter.signal },
      lockPageSchema,
    );
    return {
      locks: page.locks.map(lockFromJson),
      ...(page.next_cursor !== null && { nextCursor: page.next_cursor }),
    };
  }

  async agent(agentId: string, { signal }: CallOptions): Promise<AgentState> {
    if (agentId === "") throw invalid("agentId", agentId, "a string of 1 to 256 bytes");
    const path = `/v1/agents/${encode("agentId", agentId)}`;
    const action = `see what ${JSON.stringify(agentId)} holds`;
    return agentStateFromJson(
      await this.#calls.read({ method: "GET", path, action, signal }, agentStateSchema),
    );
  }

  async stats({ signal }: CallOptions): Promise<LockStats> {
    const call = { method: "GET", path: "/v1/stats", action: "count the locks", signal } as const;
    return statsFromJson(await this.#calls.read(call, statsSchema));
  }

  async check(
    resourcePaths: readonly string[],
    agentId: string,
    { signal }: CallOptions,
  ): Promise<CheckResult> {
    const body = { resource_paths: resourcePaths, agent_id: agentId };
    const call = { method: "POST", path: "/v1/locks/check", action: "check paths", body, signal } as const;
    return checkResultFromJson(await this.#calls.read(call, checkResultSchema));
  }
}

function encode(field: string, text: string): string {
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    throw cause instanceof URIError ? invalid(field, text, "well-formed Unicode") : cause;
  }
}
