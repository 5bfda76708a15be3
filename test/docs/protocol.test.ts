/**
 * Compares `docs/protocol.md` with the messages of the wire, and has the conversation in it again.
 *
 * `UPDATE_PROTOCOL=1 npx vitest run test/docs/protocol.test.ts` writes anew what the server says in it; read the difference before believing it.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { z } from "zod";
import { systemClock } from "../../src/clock/system-clock.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import { agentStateSchema } from "../../src/protocol/agent-state.js";
import { checkResultSchema } from "../../src/protocol/check.js";
import { lockPageSchema } from "../../src/protocol/list.js";
import { locksSchema } from "../../src/protocol/lock.js";
import { releasedSchema } from "../../src/protocol/release.js";
import { resourceStateSchema } from "../../src/protocol/resource-state.js";
import { statsSchema } from "../../src/protocol/stats.js";
import {
  callSchemas,
  helloSchema,
  metricsTextSchema,
  type Op,
  subprotocol,
  subscribedSchema,
  unsubscribedSchema,
  welcomeSchema,
} from "../../src/protocol/wire.js";
import { createServices } from "../../src/server/services.js";
import { closeCodes, type Pipe } from "../../src/server/wire/pipe.js";
import { Sessions } from "../../src/server/wire/sessions.js";
import { Talk } from "../../src/server/wire/talk.js";
import { startTestServer } from "../server/running-server.js";
import { hold, parseConversation } from "./conversation.js";
import { codeBlocks, codeSpans, readDocument, repository, tableUnder } from "./documents.js";

const document = readDocument("docs/protocol.md");

test("the conversation is what is said", async () => {
  const recorded = codeBlocks(document).find(({ heading }) => heading === "A conversation")?.code ?? "";
  const said = await hold(parseConversation(recorded));
  if (process.env["UPDATE_PROTOCOL"] === "1")
    writeFileSync(
      `${repository}docs/protocol.md`,
      document.replace(recorded, () => said),
    );
  else expect(recorded).toBe(said);
});

describe("the table", () => {
  type Shape = z.ZodObject["shape"];

  const answers: Readonly<Record<Op, Shape>> = {
    acquire: locksSchema.shape,
    acquire_multiple: locksSchema.shape,
    extend: locksSchema.shape,
    release: releasedSchema.shape,
    check: checkResultSchema.shape,
    list: lockPageSchema.shape,
    resource: resourceStateSchema.shape,
    agent: agentStateSchema.shape,
    stats: statsSchema.shape,
    metrics: metricsTextSchema.shape,
    cancel: { cancelled: unsubscribedSchema.shape.unsubscribed },
    subscribe: subscribedSchema.shape,
    unsubscribe: unsubscribedSchema.shape,
    ping: {},
  };

  test("of calls names every one, with its fields and its answer", () => {
    const told = tableUnder(document, "Calls").map((cells) =>
      cells.map((cell) => codeSpans(cell).toSorted()),
    );
    const known = Object.entries(callSchemas).map(([op, { shape }]) => {
      const { id: _id, op: _op, ...fields } = shape as Shape;
      return [[op], namesOf(fields), namesOf(answers[op as Op])];
    });
    expect(told).toEqual(known);
  });

  test("of hello and that of welcome name their fields", () => {
    const [hello = "", welcome = ""] = document.split("\n| welcome |");
    expect(fieldsUnder(hello)).toEqual(Object.keys(helloSchema.shape.hello.shape));
    const known = Object.keys(welcomeSchema.shape.welcome.shape);
    expect(fieldsUnder(`## Sessions\n\n| welcome |${welcome}`).toSorted()).toEqual(known.toSorted());
  });

  function namesOf(shape: Shape): string[] {
    return Object.entries(shape)
      .map(([name, field]) => `${name}${(field as z.ZodType).safeParse(undefined).success ? "?" : ""}`)
      .toSorted();
  }

  function fieldsUnder(text: string): string[] {
    return tableUnder(text, "Sessions").map(([name = ""]) => codeSpans(name)[0] ?? "");
  }
});

describe("what ends a connection has the code that is told:", () => {
  const told = tableUnder(document, "Close codes");

  test("all that the server gives are there", () => {
    const codes = told.map(([code]) => Number(code));
    expect(codes).toEqual(expect.arrayContaining(Object.values(closeCodes)));
  });

  test.each([
    ["binary", Buffer.from("{}"), 1003],
    ["no JSON", "{", 1008],
    ["`hello` was refused", '{"hello":{"seen":-1}}', 1008],
    ["too long", `${" ".repeat(boundOf("a frame of the caller"))}1`, 1009],
  ])("%s", async (words, frame, code) => {
    const socket = await connect();
    const closed = once(socket, "close");
    socket.send(frame);
    expect((await closed)[0]).toBe(code);
    const [, , means] = told.find(([one]) => one === String(code)) ?? [];
    expect(means).toContain(words);
  });
});

describe("a session has as many as is told, and no more:", () => {
  test.each([
    ["subscriptions of a session", (id: number) => ({ id, op: "subscribe", subscription: id })],
    ["calls of a session without an answer, waits among them", (id: number) => ({ id, op: "stats" })],
  ])("%s", async (what, callOf) => {
    const bound = boundOf(what);
    const calls = Array.from({ length: bound + 1 }, (_, index) => callOf(index + 1));
    const answers = await answersTo(calls);
    expect(answers).toHaveLength(calls.length);
    expect(answers.filter((answer) => answer.error !== undefined)).toEqual([
      { id: bound + 1, error: expect.objectContaining({ code: "limit_exceeded", limit: bound }) },
    ]);
  });
});

test("what all sessions may leave unread is what is told", async () => {
  const manager = await createLockManager({}, "memory:");
  onTestFinished(() => manager.close());
  const services = createServices({ manager, clock: systemClock, logger: pino({ level: "silent" }) });
  expect(services.maxUnreadBytes).toBe(
    boundOf("the same of all sessions together, with looks that wait until their callers read"),
  );
});

interface Answer {
  readonly id?: number;
  readonly error?: object;
}

/** To calls in one frame, however long. */
async function answersTo(calls: readonly object[]): Promise<Answer[]> {
  const manager = await createLockManager({}, "memory:");
  const services = createServices({ manager, clock: systemClock, logger: pino({ level: "silent" }) });
  const sessions = new Sessions(services);
  const answers: Answer[] = [];
  const pipe: Pipe = {
    unsentBytes: 0,
    send: (frame) => answers.push(...(JSON.parse(frame) as Answer[]).filter(({ id }) => id !== undefined)),
    close: (code) => expect(code).toBeUndefined(),
  };
  new Talk(services, sessions, pipe, undefined).receive(JSON.stringify(calls));
  await new Promise((resolve) => setImmediate(resolve));
  services.events.close();
  await manager.close();
  return answers;
}

/** To a server of its own. */
async function connect(): Promise<WebSocket> {
  const api = await startTestServer();
  onTestFinished(() => api[Symbol.asyncDispose]());
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}/v1/ws`, subprotocol);
  await once(socket, "open");
  return socket;
}

/** The number that the table of bounds has. */
function boundOf(what: string): number {
  const row = tableUnder(document, "Bounds").find(([one]) => one === what);
  return Number(row?.[1]?.replace(/ .*$/, "").replaceAll(",", ""));
}
