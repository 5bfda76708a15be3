/**
 * Seeds that once ended with a violation, and what it was. They run with every test.
 *
 * They were found with earlier sources and an earlier script, which made other episodes of them, and are kept as seeds like any other. Most of the
 * stories are seeded as bugs as well (test/seeded-bugs/25, 40, 51, 58, 59, 60 and 63).
 */

export interface NamedSeed {
  readonly seed: number;
  readonly story: string;
}

export const namedSeeds: readonly NamedSeed[] = [
  {
    seed: 2_843_202_952,
    story:
      "a lock in force was denied to its holder: a hint had made the manager forget it while a commit was under way, and the answer to that commit " +
      "then turned the nothing it knew into the proof that nothing is there",
  },
  {
    seed: 4_197_282_761,
    story:
      "a holder shortened its lock, the reply took longer than what was left of it, and the holder was told too late",
  },
  {
    seed: 4_195_980_669,
    story:
      "what an acquire of unknown outcome may have left was looked for too early only, and its request arrived after that: somebody waits for nobody",
  },
  { seed: 72, story: "a holder shortened its lock, the reply was lost, and the holder was told too late" },
  {
    seed: 118,
    story:
      "a manager slept, was told of a grant after the caller had been refused, and had given up its old id in between: nobody gave the lock back",
  },
  {
    seed: 35_468_812,
    story:
      "a waiter was looking when a hint came, what it had read was older than the hint, and it looked again at that instead of at the store",
  },
  {
    seed: 1_355_779_670,
    story:
      "a late request granted several paths, one of them ended, and when the caller gave up the others were left over",
  },
  {
    seed: 1_074_097_259,
    story:
      "waiters that had to look at the store once more forgot for that what everybody believed of the paths above, so that a hundred of them " +
      "made each other read again and again",
  },
  {
    seed: 2_641_361_773,
    story:
      "a multi-acquire whose reply was lost took a path for its own that its agent had lost and then taken in another mode, and was answered with that",
  },
  {
    seed: 877_601_896,
    story:
      "a hint came to the first of a manager's waiters, who looked and found that another manager had swept it, its time being up; the next one, " +
      "whose turn it was, was told of nothing",
  },
];
