/**
 * A request that asks for another protocol. As soon as anybody takes WebSockets, Node's server takes every request with an `Upgrade` out of HTTP, also one
 * that only offers HTTP/2 on the way (`curl --http2`). A server may ignore an `Upgrade` and answer as usual (RFC 9110, 7.8).
 *
 * From Node 24 on a server can be asked about each request (`shouldUpgradeCallback`). Before that, and then as well, it looks at `upgrade` of the request.
 *
 * What a caller sends in one piece behind such a request, without waiting for its answer, Node drops; it does so in every server that takes no upgrades.
 */
import { IncomingMessage } from "node:http";

export class Incoming extends IncomingMessage {
  /** What Node makes of its headers. No private name, as the constructor of Node's class sets it. */
  private asksForUpgrade: unknown;

  get upgrade(): boolean {
    return this.asksForUpgrade === true && (this.method === "CONNECT" || isWebSocket(this.headers.upgrade));
  }

  set upgrade(asks: unknown) {
    this.asksForUpgrade = asks;
  }
}

function isWebSocket(protocol: string | undefined): boolean {
  return protocol?.toLowerCase() === "websocket";
}
