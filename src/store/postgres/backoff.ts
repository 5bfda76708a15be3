/** How long to wait before the next try to connect: longer each time, but so that service is back soon, and not the same for everybody. */

const firstMs = 25;
const longestMs = 500;

/** `failures`: so many, one after the other. */
export function backoffMs(failures: number): number {
  const spread = Math.min(firstMs * 2 ** failures, longestMs);
  return spread * (0.5 + Math.random() / 2);
}
