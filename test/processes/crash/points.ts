/** The moments at which a process is killed. */
export const points = [
  "before-transaction",
  "before-row",
  "after-row",
  "during-flush",
  "after-flush",
  "cleaning",
  "creating",
  "opening",
  "catching-up",
  "reading-anew",
  // From outside, when it has been stopped for a moment: if it was waiting for its turn to write, it was woken in vain.
  "waiting",
  // Not named at all: from outside, after so many steps of its work.
  "any-moment",
] as const;

export type Point = (typeof points)[number];

/** What is done at a point; chosen by chance, so that each kill of a point is another one. */
export interface Doom {
  readonly point: Point;
  /** The how manieth time that the point is reached. */
  readonly nth: number;
  /** Of the time that a flush takes. */
  readonly fraction: number;
}

/** How often a process comes past each point soon. */
const most: Record<Point, number> = {
  "before-transaction": 60,
  "before-row": 60,
  "after-row": 60,
  "during-flush": 60,
  "after-flush": 60,
  cleaning: 40,
  creating: 12,
  opening: 6,
  "catching-up": 40,
  "reading-anew": 40,
  waiting: 200,
  "any-moment": 600,
};

export function doomAt(point: Point, random: () => number): Doom {
  return { point, nth: 1 + Math.floor(random() * most[point]), fraction: random() };
}
