/** The least that can be called a lock server: who has which path, and who waits for it. No ttl, no limits, no checks, no events. */

/** Is told its fencing token. */
export type Granted = (token: number) => void;

interface Entry {
  token: number;
  readonly waiters: Granted[];
}

export class LockTable {
  readonly #entries = new Map<string, Entry>();
  #lastToken = 0;

  acquire(path: string, granted: Granted): void {
    const entry = this.#entries.get(path);
    if (entry !== undefined) {
      entry.waiters.push(granted);
      return;
    }
    const token = ++this.#lastToken;
    this.#entries.set(path, { token, waiters: [] });
    granted(token);
  }

  /** One after the other; without deadlocks as long as everybody asks in the same order. */
  acquireAll(paths: readonly string[], granted: (tokens: number[]) => void): void {
    const tokens: number[] = [];
    const next = (): void => {
      const path = paths[tokens.length];
      if (path === undefined) granted(tokens);
      else
        this.acquire(path, (token) => {
          tokens.push(token);
          next();
        });
    };
    next();
  }

  /** False for whoever does not have it. */
  release(path: string, token: number): boolean {
    const entry = this.#entries.get(path);
    if (entry?.token !== token) return false;
    const granted = entry.waiters.shift();
    if (granted === undefined) this.#entries.delete(path);
    else {
      entry.token = ++this.#lastToken;
      granted(entry.token);
    }
    return true;
  }
}
