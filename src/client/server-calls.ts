/** Calls of the HTTP API, with answers checked and refusals turned back into errors. */
import type { z } from "zod";
import { LockError } from "../errors.js";
import { lockErrorOf, problemContentType, problemSchema } from "../protocol/problem.js";
import { type HttpAnswer, type HttpCall, type HttpConnection, NoAnswer } from "./http-connection.js";

export class ServerCalls {
  readonly #connection: HttpConnection;
  #closed: LockError | undefined = undefined;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  close(): void {
    this.#closed ??= new LockError("closed", "The lock manager is closed.");
    this.#connection.close(this.#closed);
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** A call that changes nothing. */
  async read<Schema extends z.ZodType>(call: HttpCall, schema: Schema): Promise<z.output<Schema>> {
    try {
      return await this.#ask(call, schema);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
    }
    try {
      return await this.#ask(call, schema);
    } catch (error) {
      throw error instanceof NoAnswer
        ? new LockError("store_unavailable", error.message, {}, { cause: error })
        : error;
    }
  }

  /** A call that is not made again, because a second answer would say something else. */
  async once<Schema extends z.ZodType>(call: HttpCall, schema: Schema): Promise<z.output<Schema>> {
    try {
      return await this.#ask(call, schema);
    } catch (error) {
      throw error instanceof NoAnswer ? outcomeUnknown(call, error) : error;
    }
  }

  /** A call that is made again when no answer came, because twice is the same as once. */
  async settled<Schema extends z.ZodType>(
    call: HttpCall,
    schema: Schema,
  ): Promise<{ readonly answer: z.output<Schema>; readonly repeated: boolean }> {
    let silence: NoAnswer;
    try {
      return { answer: await this.#ask(call, schema), repeated: false };
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      silence = error;
    }
    try {
      return { answer: await this.#ask(call, schema), repeated: true };
    } catch (error) {
      // What never reached the server the second time may have reached it the first time.
      const unknown =
        error instanceof NoAnswer || (error instanceof LockError && error.code === "store_unavailable");
      throw unknown ? outcomeUnknown(call, silence) : error;
    }
  }

  /** As `read`, where the answer is text. */
  async text(call: HttpCall): Promise<string> {
    try {
      return succeeded(await this.#send(call)).body;
    } catch (error) {
      throw error instanceof NoAnswer
        ? new LockError("store_unavailable", error.message, {}, { cause: error })
        : error;
    }
  }

  async #ask<Schema extends z.ZodType>(call: HttpCall, schema: Schema): Promise<z.output<Schema>> {
    const answer = succeeded(await this.#send(call));
    const result = schema.safeParse(parse(answer.body));
    if (result.success) return result.data;
    throw new NoAnswer(`What answered the call to ${call.action} is no server of this kind.`, {
      cause: result.error,
    });
  }

  async #send(call: HttpCall): Promise<HttpAnswer> {
    if (this.#closed !== undefined) throw this.#closed;
    return this.#connection.send(call);
  }
}

export function outcomeUnknown({ action }: HttpCall, cause: Error): LockError {
  const message = `The outcome of the call to ${action} is unknown: ${cause.message}`;
  return new LockError("outcome_unknown", message, {}, { cause });
}

function succeeded(answer: HttpAnswer): HttpAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw refusalOf(answer);
}

function refusalOf({ status, contentType, body }: HttpAnswer): Error {
  const problem = contentType.startsWith(problemContentType)
    ? problemSchema.safeParse(parse(body))
    : undefined;
  if (problem?.success) return lockErrorOf(problem.data);
  // A proxy in between, or a server that knows more codes than we do.
  const message = `The server answered with status ${status} and no reason that is known here.`;
  if (status === 502 || status === 503 || status === 504 || status === 429)
    return new LockError("store_unavailable", message);
  return status >= 500 ? new NoAnswer(message) : new LockError("invalid", message);
}

function parse(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return value;
  } catch {
    // Judged by the schema, which it will not fit.
    return undefined;
  }
}
