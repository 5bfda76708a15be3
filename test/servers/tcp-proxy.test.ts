import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { seededRandom } from "../support/seeded-random.js";
import { TcpProxy } from "./tcp-proxy.js";

const numbers = Array.from({ length: 300 }, (_, n) => n);

test("A proxy whose delay changes all the time keeps bytes in order, as TCP does.", async () => {
  const random = seededRandom(1);
  let text = "";
  const server = createServer((socket) => socket.on("data", (bytes) => (text += bytes.toString())));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const proxy = await TcpProxy.to(typeof address === "object" ? address!.port : 0);
  const client = connect(proxy.port, "127.0.0.1");
  onTestFinished(async () => {
    client.destroy();
    await proxy.close();
    server.close();
  });
  await once(client, "connect");
  client.setNoDelay(true);

  for (const n of numbers) {
    proxy.delay(random() < 0.5 ? 0 : random() * 20);
    client.write(`${n} `);
    await new Promise((resolve) => setTimeout(resolve, random() * 3));
  }

  await expect.poll(() => text.trim().split(" ").map(Number)).toEqual(numbers);
});
