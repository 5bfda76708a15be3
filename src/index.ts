/** The public API: an explicit list of names. */
export type { Clock } from "./clock/clock.js";
export { type CreateLockManagerConfig, createLockManager, type Surroundings } from "./create-lock-manager.js";
export {
  type Conflict,
  type CycleEdge,
  type ErrorCode,
  type ErrorFacts,
  type ErrorFamily,
  errorCatalogue,
  LockError,
} from "./errors.js";
export { type FencedUse, FenceGuard, type FenceGuardOptions } from "./fence-guard.js";
export type {
  AcquiredLock,
  AcquireOptions,
  AgentState,
  CallOptions,
  CheckResult,
  Duration,
  EventFilter,
  ForceReleaseOptions,
  ListFilter,
  Lock,
  LockEvent,
  LockEventType,
  LockManager,
  LockPage,
  LockStats,
  Mode,
  ResourceState,
  Scope,
  Waiter,
} from "./lock-manager.js";
export type { LockManagerConfig, LockPolicy } from "./manager/config.js";
export { type OpenStoreOptions, openStore } from "./open-store.js";
export { type Store, StoreError } from "./store/store.js";
