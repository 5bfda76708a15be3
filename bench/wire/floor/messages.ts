/** What the bare servers are asked and answer, in lists of whatever came together in one turn. */

export type Request =
  | { readonly id: number; readonly op: "acquire"; readonly resource_path: string; readonly agent_id: string }
  | {
      readonly id: number;
      readonly op: "acquire_multiple";
      readonly resource_paths: readonly string[];
      readonly agent_id: string;
    }
  | { readonly id: number; readonly op: "release"; readonly locks: readonly NamedLock[] };

export interface NamedLock {
  readonly resource_path: string;
  readonly fencing_token: number;
}

export interface Answer {
  readonly id: number;
  /** Fencing tokens of what was acquired, or how many locks were released. */
  readonly result: readonly number[] | number;
}

/** Gathers what is said in one turn, and passes it on at its end. */
export class Turn<Message> {
  readonly #pass: (messages: readonly Message[]) => void;
  #messages: Message[] = [];

  constructor(pass: (messages: readonly Message[]) => void) {
    this.#pass = pass;
  }

  add(message: Message): void {
    if (this.#messages.push(message) === 1) process.nextTick(this.#end);
  }

  readonly #end = (): void => {
    const messages = this.#messages;
    this.#messages = [];
    this.#pass(messages);
  };
}
