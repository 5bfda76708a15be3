/**
 * Wakes this process out of a wait for LMDB's writer's lock that would never end.
 *
 * The lock is a robust mutex of pthreads. Whoever lets go of it wakes one of those who wait. If that one is killed before it takes the lock, and another
 * was faster, nobody knows of the others who wait: glibc has cleared the mark, and the kernel passes a wake-up on only when the lock is free. They sleep,
 * and their event loops with them, until one more process has to wait (Linux `handle_futex_death`, glibc `pthread_mutex_lock.c`; seen with glibc 2.36 on
 * Linux 6.18). Any signal lets a sleeper look again, and SIGURG does nothing else, which is why Go interrupts its threads with it. It takes a thread to
 * send it, because this one sleeps.
 */
import { Worker } from "node:worker_threads";

/** A wait for the lock that lasts longer is looked into. */
const patienceMs = 500;
/** Only there is the lock of this kind. The signal reaches the main thread, and no other has a store open. */
const isNeeded = process.platform === "linux";

const shared = new Int32Array(new SharedArrayBuffer(8));
/** Where the number of the wait is, 0 while there is none. The other place never changes, so that the thread can sleep on it. */
const waitAt = 0;
let waits = 0;
let users = 0;
let thread: Worker | undefined;

const program = `
  const { workerData: { shared, patienceMs } } = require("node:worker_threads");
  for (let last = 0; ; ) {
    Atomics.wait(shared, 1, 0, patienceMs);
    const now = Atomics.load(shared, 0);
    if (now !== 0 && now === last) process.kill(process.pid, "SIGURG");
    last = now;
  }
`;

/** To be called before LMDB may wait for its lock. */
export function mayWait(): void {
  waits = (waits % 0x7fff_ffff) + 1;
  Atomics.store(shared, waitAt, waits);
}

/** To be called when it has the lock, or has given up. */
export function waitsNoMore(): void {
  Atomics.store(shared, waitAt, 0);
}

/** From now on waits are watched; to be called once for each `unwatch`. */
export function watch(): void {
  users += 1;
  if (users > 1 || !isNeeded) return;
  process.on("SIGURG", onlyLook);
  thread = new Worker(program, { eval: true, workerData: { shared, patienceMs }, env: {}, execArgv: [] });
  thread.unref();
}

export async function unwatch(): Promise<void> {
  users -= 1;
  if (users > 0 || thread === undefined) return;
  process.off("SIGURG", onlyLook);
  const last = thread;
  thread = undefined;
  await last.terminate();
}

function onlyLook(): void {
  // That a signal came is all that is needed.
}
