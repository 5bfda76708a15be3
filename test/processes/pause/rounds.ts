/** Stops a process beyond the ttl of its lock, lets another take the path, and lets the first go on. */
import { createLockManager } from "../../../src/create-lock-manager.js";
import { LockError } from "../../../src/errors.js";
import { FenceGuard } from "../../../src/fence-guard.js";
import { startProcess } from "../agent-process.js";

export interface Trial {
  readonly rounds: number;
  readonly url: string;
}

export interface Outcome {
  /** How often the first look of the woken holder said that its lock is lost. */
  readonly lost: number;
  /** How many writes of the woken holder the protected resource refused, and how many of those who hold a lock it took. */
  readonly refused: number;
  readonly written: number;
}

const path = "/paused";

/** Rejects with the first answer that is not the expected one. */
export async function pauseInRounds({ rounds, url }: Trial): Promise<Outcome> {
  const locks = await createLockManager({}, url);
  const holder = startProcess(url, "hold", [path, "400ms"]);
  // What the lock protects. It lives in this process and hears of the holder's writes as it says them.
  const resource = new FenceGuard();
  const outcome = { lost: 0, refused: 0, written: 0 };
  const write = (fencingToken: number): boolean => {
    try {
      resource.admit({ resourcePath: path, fencingToken });
      outcome.written += 1;
      return true;
    } catch (error) {
      if (!(error instanceof LockError) || error.code !== "lost") throw error;
      outcome.refused += 1;
      return false;
    }
  };
  const says = async (...expected: string[]): Promise<void> => {
    const said = await holder.next();
    if (said.join(" ") !== expected.join(" "))
      throw new Error(`The holder said "${said.join(" ")}" instead of "${expected.join(" ")}"`);
  };
  try {
    await says("ready");
    for (let round = 0; round < rounds; round++) {
      holder.tell("take it");
      const [, token = ""] = await holder.next();
      must(write(Number(token)), "a holder's write was refused");
      holder.signal("SIGSTOP");
      const next = await locks.acquireLock(path, "next", { timeout: "10s", ttl: "1m" });
      must(next.fencingToken > Number(token), `token ${next.fencingToken} came after ${token}`);
      must(write(next.fencingToken), "the next holder's write was refused");
      holder.tell("look");
      holder.signal("SIGCONT");
      await says("sees", "lost");
      outcome.lost += 1;
      await says("writes", token);
      must(!write(Number(token)), "the write of a holder that had lost its lock was taken");
      await says("extend", "lost");
      await says("release", "false");
      await says("by", "id", "false");
      must((await locks.getLock(path))?.lockId === next.lockId, "the next holder does not hold any more");
      must(await next.release(), "the next holder could not release");
    }
    holder.finish();
    must((await holder.ended) === 0, `the holder complained: ${holder.complaints()}`);
    return outcome;
  } finally {
    holder.signal("SIGKILL");
    await locks.close();
  }
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
