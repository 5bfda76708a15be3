/** Unique ids from the machine's randomness. */
import { randomFillSync } from "node:crypto";

const idBytes = 16;
const pool = Buffer.allocUnsafe(idBytes * 256);
let used = pool.length;

/** 128 random bits as 32 hexadecimal digits. Drawn from a pool, because asking the system for each would cost more than the lock it names. */
export function randomId(): string {
  if (used >= pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const from = used;
  used += idBytes;
  return pool.toString("hex", from, used);
}
