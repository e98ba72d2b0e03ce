// Socket.IO's reference server with the broker's events: node server.js PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const port = Number(process.argv[2]);
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  console.error("usage: node server.js PORT");
  process.exit(2);
}

// What production runs: nothing compressed, nothing logged, no bundle served, pings as they come.
const http = createServer();
const io = new Server(http, {
  serveClient: false,
  pingInterval: 25_000,
  pingTimeout: 20_000,
  perMessageDeflate: false,
  httpCompression: false,
});

io.on("connection", (socket) => {
  // The first request of each client is not needed any more; its manual advises to let it go.
  socket.conn.request = undefined;
  socket.on("subscribe", (room, ack) => {
    socket.join(room);
    if (typeof ack === "function") ack();
  });
  socket.on("publish", (room, msg) => io.to(room).emit("data", room, msg));
  socket.on("broadcast", (msg) => socket.broadcast.emit("broadcast", msg));
});

// As many connections may wait to be accepted as the generator opens at once.
http.listen({ port, host: "127.0.0.1", backlog: 4096 });
