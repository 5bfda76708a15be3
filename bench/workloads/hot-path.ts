/** Everybody wants the same lock: how often it changes hands, and whether all get their share. */
import { engramEmbedded, engramMemory } from "../contestants/engram-lock.js";
import { asyncLock, asyncMutex } from "../contestants/in-process-peers.js";
import { type Cycle, inTurns } from "../rounds.js";
import { figure, percent } from "../table.js";
import { type Workload, withContestants } from "./workload.js";

const workers = 16;
const usual = [engramMemory, engramEmbedded, asyncMutex, asyncLock];

export const hotPath: Workload = {
  name: "hot",
  run: (settings) =>
    withContestants(settings, settings.instead ?? usual, async (open) => {
      const contestants = open.filter(({ queues }) => queues);
      const turns = new Map(
        contestants.map(({ name }) => [name, Array.from({ length: workers }, () => 0)] as const),
      );
      const cycle: Cycle = (contestant, worker) =>
        contestant.hold("/repo/src/hot.ts", worker, () => {
          const counts = turns.get(contestant.name) ?? [];
          counts[worker] = (counts[worker] ?? 0) + 1;
        });
      const rates = await inTurns(contestants, workers, cycle, settings.pace);
      const data = contestants.map(({ name }) => {
        const counts = turns.get(name) ?? [];
        const equal = counts.reduce((sum, count) => sum + count, 0) / workers;
        return {
          name,
          ...rates.get(name),
          leastShare: Math.min(...counts) / equal,
          mostShare: Math.max(...counts) / equal,
        };
      });
      return [
        {
          title: `Handovers: ${workers} workers on one path`,
          head: ["", "handovers/s", "CPU µs", "least share", "largest share"],
          rows: data.map(({ name, cyclesPerSecond, cpuMicrosPerCycle, leastShare, mostShare }) => [
            name,
            figure(cyclesPerSecond),
            figure(cpuMicrosPerCycle),
            percent(leastShare),
            percent(mostShare),
          ]),
          notes: ["Shares are of an equal share: 100 % for everybody is perfectly fair."],
          data,
        },
      ];
    }),
};
