/** A lock manager of which some methods are replaced, so that a test decides when and how a call ends. */
import type { LockManager } from "../../src/lock-manager.js";

export function intercept(manager: LockManager, replaced: Partial<LockManager>): LockManager {
  return new Proxy(manager, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in replaced ? replaced : target, name);
      return typeof value === "function" ? value.bind(name in replaced ? replaced : target) : value;
    },
  });
}

export interface Latch {
  readonly opened: Promise<void>;
  open(): void;
}

export function latch(): Latch {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
