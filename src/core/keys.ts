/**
 * Where things stand in the store.
 *
 *     lock/a/b               the holders of /a/b and the counters of its queue
 *     wait/a/b//a7           the seventh waiter of the queue of /a/b ("//" occurs in no path)
 *     agent/ann              how many locks ann holds and how often she waits
 *     agent/ann/lock/a/b     that ann holds /a/b
 *     agent/ann/wait/<id>    that ann waits, and where
 *     manager/<id>           that the manager process is alive
 */

const pathSeparator = "//";
const letterForOne = "a".charCodeAt(0);

export function lockKey(path: string): string {
  return `lock${path}`;
}

export function pathOfLockKey(key: string): string {
  return key.slice("lock".length);
}

/** The lock entries below a path. For the root that includes its own entry. */
export function locksBelow(path: string): string {
  return path === "/" ? "lock/" : `lock${path}/`;
}

export const allLocks = "lock/";

/** The whole queue of one path; its byte order is the order of the queue. */
export function queueOf(path: string): string {
  return `wait${path}${pathSeparator}`;
}

/** The queues of a path and of everything below it. */
export function queuesBelow(path: string): string {
  return path === "/" ? "wait/" : `wait${path}/`;
}

export const allWaiters = "wait/";

/** Before the number stands a letter for how many digits it has, so that the byte order of the keys is the order of the numbers. */
export function waitKey(path: string, n: number): string {
  const digits = `${n}`;
  return `wait${path}${pathSeparator}${String.fromCharCode(letterForOne - 1 + digits.length)}${digits}`;
}

export function placeOfWaitKey(key: string): { readonly path: string; readonly n: number } {
  const end = key.lastIndexOf(pathSeparator);
  return { path: key.slice("wait".length, end), n: Number(key.slice(end + pathSeparator.length + 1)) };
}

const escapable = /[%/]/;

/** Agent ids are escaped, so that one with a slash in it cannot reach into another agent's entries. */
export function agentKey(agentId: string): string {
  return `agent/${escapable.test(agentId) ? agentId.replaceAll("%", "%25").replaceAll("/", "%2F") : agentId}`;
}

export const allAgents = "agent/";

export function agentLocks(agent: string): string {
  return `${agent}/lock/`;
}

export function agentLockKey(agent: string, path: string): string {
  return `${agent}/lock${path}`;
}

export function pathOfAgentLockKey(agent: string, key: string): string {
  return key.slice(agent.length + "/lock".length);
}

export function agentWaits(agent: string): string {
  return `${agent}/wait/`;
}

export function agentWaitKey(agent: string, lockId: string): string {
  return `${agent}/wait/${lockId}`;
}

export function managerKey(managerId: string): string {
  return `manager/${managerId}`;
}

export const allManagers = "manager/";
