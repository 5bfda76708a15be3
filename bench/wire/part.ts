/** The process of a server or of a client: does what the program that started it asks, and ends with it. */

import { kindOf } from "./kinds.js";
import { perform, type Task } from "./tasks.js";
import type { WireKind } from "./wire-kind.js";

export interface PartArguments {
  readonly role: "server" | "client";
  readonly kind: string;
  /** Of the server, for its client. */
  readonly address?: string;
}

/** What a server and a client are asked. */
export type Order = "cpu" | "bytes" | Task;

/** The first message answers the start. */
export type Reply = { readonly answer: unknown } | { readonly failure: string };

/** What a server says at the start. */
export type Started = { readonly address: string } | { readonly missing: string };

interface Part {
  readonly started: unknown;
  answer(order: Order): Promise<unknown>;
  close(): Promise<void>;
}

export async function runPart({ role, kind: name, address }: PartArguments): Promise<void> {
  const kind = kindOf(name);
  const starting = role === "server" ? startServer(kind) : startClient(kind, address ?? "");
  const end = (): void => {
    starting
      .then((part) => part.close())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  // Ctrl-C reaches all processes of a terminal, and no one of them may leave a server or a folder behind.
  for (const event of ["disconnect", "SIGINT", "SIGTERM"] as const) process.once(event, end);
  // It may have been left alone before it could notice.
  if (!process.connected) end();
  await reply(starting.then(({ started }) => started));
  process.on("message", (order: Order) => {
    reply(starting.then((part) => part.answer(order))).catch(failed);
  });
}

async function reply(answer: Promise<unknown>): Promise<void> {
  let message: Reply;
  try {
    message = { answer: await answer };
  } catch (error) {
    message = { failure: error instanceof Error ? error.message : String(error) };
  }
  // When nobody is there to hear it, this process is about to end as well.
  if (process.connected) process.send?.(message, () => {});
}

function failed(error: unknown): never {
  throw error;
}

async function startServer(kind: WireKind): Promise<Part> {
  const server = await kind.serve();
  const started: Started =
    server === undefined ? { missing: kind.why ?? "it cannot run here" } : { address: server.address };
  return {
    started,
    answer: async (order) => (order === "cpu" ? server?.cpuMicros() : server?.bytes()),
    close: async () => server?.stop(),
  };
}

async function startClient(kind: WireKind, address: string): Promise<Part> {
  const contestant = await kind.connect(address);
  const open = [contestant];
  const other = async (): Promise<typeof contestant> => {
    const [, known] = open;
    if (known !== undefined) return known;
    const another = await kind.connect(address);
    open.push(another);
    return another;
  };
  return {
    started: {},
    async answer(order) {
      if (typeof order === "string") throw new Error(`A client is not asked for "${order}"`);
      return perform({ contestant, other }, order);
    },
    async close() {
      for (const one of open) await one.close();
    },
  };
}
