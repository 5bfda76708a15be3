/** A connection as a session sees it: something that takes frames. Where they come from and go to is not its business. */
export interface Pipe {
  send(frame: string): void;
  /** How much of what was sent has not left this process, in bytes. */
  readonly unsentBytes: number;
  /** Ends the connection with a code of RFC 6455 and a few words. */
  close(code: number, reason: string): void;
}

/** Why a connection is closed. */
export const closeCodes = { goingAway: 1001, policy: 1008, tooSlow: 1013 } as const;
