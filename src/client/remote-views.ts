/** What can be looked at on a server. */
import type { z } from "zod";
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
import { lockPageFromJson, lockPageSchema } from "../protocol/list.js";
import { resourceStateFromJson, resourceStateSchema } from "../protocol/resource-state.js";
import { statsFromJson, statsSchema } from "../protocol/stats.js";
import { metricsTextSchema, type Op } from "../protocol/wire.js";
import type { Fields } from "./call-words.js";
import type { Calls } from "./calls.js";

export class RemoteViews {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  async lock(resourcePath: string, options: CallOptions): Promise<Lock | undefined> {
    const { holders } = await this.resource(resourcePath, options);
    return holders[0];
  }

  async resource(resourcePath: string, { signal }: CallOptions): Promise<ResourceState> {
    const fields = { resource_path: resourcePath };
    return resourceStateFromJson(await this.#look("resource", fields, resourceStateSchema, signal));
  }

  async list({ signal, ...filter }: ListFilter): Promise<LockPage> {
    const fields = {
      prefix: filter.prefix,
      agent_id: filter.agentId,
      resource_type: filter.resourceType,
      mode: filter.mode,
      expiring_within: filter.expiringWithin,
      limit: filter.limit,
      cursor: filter.cursor,
    };
    return lockPageFromJson(await this.#look("list", fields, lockPageSchema, signal));
  }

  async agent(agentId: string, { signal }: CallOptions): Promise<AgentState> {
    const fields = { agent_id: agentId };
    return agentStateFromJson(await this.#look("agent", fields, agentStateSchema, signal));
  }

  async stats({ signal }: CallOptions): Promise<LockStats> {
    return statsFromJson(await this.#look("stats", {}, statsSchema, signal));
  }

  async check(
    resourcePaths: readonly string[],
    agentId: string,
    { signal }: CallOptions,
  ): Promise<CheckResult> {
    const fields = { resource_paths: resourcePaths, agent_id: agentId };
    return checkResultFromJson(await this.#look("check", fields, checkResultSchema, signal));
  }

  async metrics(): Promise<string> {
    return (await this.#look("metrics", {}, metricsTextSchema, undefined)).text;
  }

  async #look<Answer>(
    op: Op,
    fields: Fields,
    schema: z.ZodType<Answer>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const { answer } = await this.#calls.make({ op, fields, kind: "look", signal }, { schema });
    return answer;
  }
}
