/** The body of a request: JSON of a stated kind and a bounded size. */
import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { parseAs } from "../protocol/validation.js";
import type { Exchange } from "./exchange.js";
import { bodyTooLarge, unsupportedMediaType } from "./http-refusal.js";
import { parseJson } from "./json-text.js";

const maxBodyBytes = 64 * 1024;

const jsonType = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** @throws HttpRefusal or LockError when it is not JSON as `schema` wants it. */
export async function readBody<Schema extends z.ZodType>(
  exchange: Exchange,
  schema: Schema,
): Promise<z.output<Schema>> {
  const { incoming } = exchange;
  // A browser sends this type to another site only after asking, and we never say yes: no request forgery.
  if (!jsonType.test(exchange.header("content-type") ?? "")) throw unsupportedMediaType();
  if (incoming.headers["content-encoding"] !== undefined) throw unsupportedMediaType();
  if (Number(incoming.headers["content-length"]) > maxBodyBytes) throw bodyTooLarge(maxBodyBytes);
  return parseAs(schema, parseJson(await readAll(incoming)));
}

/** Straight from Node: a web stream in between costs more than all the rest of a small request. */
function readAll(incoming: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (done: () => void): void => {
      incoming.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose);
      done();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBodyBytes) {
        chunks.push(chunk);
        return;
      }
      incoming.pause();
      settle(() => reject(bodyTooLarge(maxBodyBytes)));
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 ? onlyOf(chunks) : Buffer.concat(chunks)));
    const onError = (error: Error): void => settle(() => reject(new CallerGone({ cause: error })));
    const onClose = (): void => settle(() => reject(new CallerGone()));
    if (incoming.destroyed) onClose();
    else incoming.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose);
  });
}

function onlyOf(chunks: readonly Buffer[]): Uint8Array {
  return chunks[0] ?? new Uint8Array();
}

/** The caller hung up before it had said everything. There is nobody to answer. */
export class CallerGone extends Error {
  override readonly name = "CallerGone";
  constructor(options?: ErrorOptions) {
    super("The caller hung up.", options);
  }
}
