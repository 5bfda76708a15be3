/** As much of the standard WebSocket as is needed; that of browsers, of Node from 22 on and of the package `ws` all have it. */

/** Declared as a method, so that one which wants to know more of the event fits as well. */
type Handler<Event> = { handle(event: Event): void }["handle"];

export interface Socket {
  onopen: Handler<object> | null;
  onmessage: Handler<{ readonly data: unknown }> | null;
  onerror: Handler<object> | null;
  onclose: Handler<{ readonly code: number; readonly reason: string }> | null;
  send(frame: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => Socket;
