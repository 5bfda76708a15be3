/** The names of the headers that server and client agree on. */

/** Who asks; visible ASCII. Other agent ids go into the body. */
export const agentHeader = "x-agent-id";

/** A repeated POST with the same key and body is answered with the same locks. */
export const idempotencyHeader = "idempotency-key";

/** On every answer; made by the server, never taken from the caller. */
export const requestIdHeader = "x-request-id";

/** Store time when the answer was made. */
export const storeTimeHeader = "x-store-time";

/** How long the server took, as `total;dur=12.3` in milliseconds; the waiting in the queue is part of it. */
export const durationHeader = "server-timing";
