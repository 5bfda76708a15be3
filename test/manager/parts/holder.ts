import type { Holder } from "../../../src/core/records.js";

/** Ann, who holds a path for the first second. */
export const holder: Holder = {
  lockId: "L1",
  agentId: "ann",
  mode: "exclusive",
  scope: "resource",
  token: 1,
  acquiredAt: 0,
  expiresAt: 1000,
  ttlMs: 1000,
};
