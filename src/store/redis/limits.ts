/** How long what may take. */
export interface Limits {
  /** A request, and the silence of a connection with one under way, in milliseconds. */
  readonly requestMs: number;
  /** Making a connection, in milliseconds. */
  readonly connectMs: number;
}

export const usualLimits: Limits = { requestMs: 5_000, connectMs: 2_000 };
