/** The package has these types, but its `exports` do not say so. */
declare module "redlock" {
  import type { Redis } from "ioredis";

  interface Lock {
    release(): Promise<unknown>;
  }

  export default class Redlock {
    constructor(clients: readonly Redis[], settings: { readonly retryCount: number });
    acquire(resources: readonly string[], durationMs: number): Promise<Lock>;
  }
}
