/** Everybody wants the same lock: how often it changes hands, and whether all get their share. */
import { figure, percent } from "../../table.js";
import type { Answer, Settings, Workload } from "../../workloads/workload.js";
import { inMemory } from "../kinds.js";
import { canPin, oneCore } from "../one-core.js";
import { type PairReport, withPairs } from "../pair.js";
import { pairsInTurns, ratesOf } from "../pair-rounds.js";
import { engramEmbedded } from "../peers/engram-lock.js";

const workers = 16;

export const hot: Workload = {
  name: "hot",
  async run(settings) {
    const answers = [await handovers(settings, "", undefined)];
    if (canPin()) answers.push(await handovers(settings, ", client and server on one core", oneCore));
    return answers;
  },
};

function handovers(settings: Settings, where: string, core: number | undefined): Promise<Answer> {
  return withPairs(settings, [engramEmbedded, ...inMemory], core, async (pairs) => {
    const reports = await pairsInTurns(pairs, settings.pace, (pair, seconds) =>
      pair.run({ do: "hot", workers, seconds }),
    );
    const data = [...reports].map(([name, done]) => ({ name, ...ratesOf(done), ...shares(done) }));
    return {
      title: `Handovers over the wire: ${workers} workers of one client on one path${where}`,
      head: ["", "handovers/s", "client µs", "server µs", "least share", "largest share"],
      rows: data.map(({ name, cyclesPerSecond, clientMicros, serverMicros, least, most }) => [
        name,
        figure(cyclesPerSecond),
        figure(clientMicros),
        figure(serverMicros),
        percent(least),
        percent(most),
      ]),
      notes: ["Shares are of an equal share, over all rounds: 100 % for everybody is perfectly fair."],
      data,
    };
  });
}

function shares(reports: readonly PairReport[]): { least: number; most: number } {
  const counts = Array.from({ length: workers }, (_, worker) =>
    reports.reduce((sum, report) => sum + (report.shares?.[worker] ?? 0), 0),
  );
  const equal = counts.reduce((sum, count) => sum + count, 0) / workers;
  return { least: Math.min(...counts) / equal, most: Math.max(...counts) / equal };
}
