/** From the moment a holder lets go to the moment the next one, over another connection, has the lock. */
import { spread } from "../../statistics.js";
import { figure } from "../../table.js";
import type { Workload } from "../../workloads/workload.js";
import { inMemory } from "../kinds.js";
import { withPairs } from "../pair.js";
import { pairsInTurns } from "../pair-rounds.js";
import { engramEmbedded } from "../peers/engram-lock.js";

export const handover: Workload = {
  name: "handover",
  run: (settings) =>
    withPairs(settings, [engramEmbedded, ...inMemory], undefined, async (pairs) => {
      const turns = settings.quick ? 10 : 200;
      const reports = await pairsInTurns(pairs, settings.pace, (pair, seconds) =>
        pair.run({ do: "handovers", turns, seconds: seconds * 5 }),
      );
      const data = [...reports].map(([name, done]) => {
        const delays = done.flatMap((report) => report.delays ?? []);
        return { name, count: delays.length, ...spread(delays), rounds: done };
      });
      return [
        {
          title: "Release → next holder on another connection, in ms",
          head: ["", "p50", "p99", "max", "handovers"],
          rows: data.map(({ name, p50, p99, max, count }) => [
            name,
            figure(p50),
            figure(p99),
            figure(max),
            String(count),
          ]),
          notes: [
            "One waiter. Both connections are of one client process, whose clock says when one called release and when the other had the lock.",
          ],
          data,
        },
      ];
    }),
};
