/** Each store is open once in a process, however many handles there are: LMDB must not open one file twice. */
import type { Clock } from "../../clock/clock.js";
import { Database } from "./database.js";

interface Slot {
  readonly database: Promise<Database>;
  handles: number;
  /** Set when the last handle was given back. */
  closing: Promise<void> | undefined;
}

const slots = new Map<string, Slot>();

export interface Lease {
  readonly database: Database;
  /** Closes the database if this was its last handle. To be called once. */
  giveBack(): Promise<void>;
}

/** The clock is that of the first handle. */
export async function lease(directory: string, clock: Clock): Promise<Lease> {
  for (;;) {
    const closing = slots.get(directory)?.closing;
    if (closing === undefined) break;
    await closing;
  }
  const slot = slots.get(directory) ?? occupy(directory, Database.open(directory, clock));
  slot.handles += 1;
  try {
    return { database: await slot.database, giveBack: () => giveBack(directory, slot) };
  } catch (error) {
    if (slots.get(directory) === slot) slots.delete(directory);
    throw error;
  }
}

function occupy(directory: string, database: Promise<Database>): Slot {
  const slot: Slot = { database, handles: 0, closing: undefined };
  slots.set(directory, slot);
  return slot;
}

async function giveBack(directory: string, slot: Slot): Promise<void> {
  slot.handles -= 1;
  if (slot.handles > 0) return;
  slot.closing = slot.database
    .then((database) => database.close())
    .finally(() => {
      slots.delete(directory);
    });
  await slot.closing;
}
