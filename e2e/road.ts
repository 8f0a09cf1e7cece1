// A connection to the registry that fails when a test wants it to.

import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/** A way to the registry that is as slow as it is told, and can be cut. */
export async function startRoad(registry: string) {
  const open = new Set<Socket>();
  /** `to` is where connections lead that are made from now on. */
  const road = { url: "", to: registry, bytesPerSecond: Infinity, isCut: false, cut, stop };
  let freeAt = 0;

  const server = createServer((client) => {
    if (road.isCut) return client.destroy();
    const { hostname, port } = new URL(road.to);
    const upstream = connect(Number(port), hostname);
    upstream.pipe(client);
    client.on("data", (bytes) => {
      client.pause();
      freeAt = Math.max(freeAt, Date.now()) + (bytes.length / road.bytesPerSecond) * 1000;
      setTimeout(() => {
        upstream.write(bytes);
        client.resume();
      }, freeAt - Date.now());
    });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => {}); // cut
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
        open.delete(socket);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  road.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function cut() {
    road.isCut = true;
    for (const socket of open) socket.destroy();
  }
  function stop() {
    cut();
    server.close();
  }
  return road;
}
