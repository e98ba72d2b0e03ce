//! Socketioxide with the broker's events: `socketioxide-peer PORT`. Knows no more than the events.

use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use std::convert::Infallible;
use std::time::Duration;

/// Packets that may wait for one client. Above that a packet is not sent; the default is 128, and bursts are longer.
const WAITING: usize = 4096;

/// The arguments of an answer that has none.
const NOTHING: [(); 0] = [];

// The server is given one core. Each message that arrives is a task, and the scheduler of many threads keeps no order
// between tasks.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: socketioxide-peer PORT")?.parse()?;
    let (layer, io) = SocketIo::builder()
        .ping_interval(Duration::from_secs(25))
        .ping_timeout(Duration::from_secs(20))
        .max_buffer_size(WAITING)
        .build_layer();
    // Events are named before the client is told that it is connected. A handler would do it later, and what a client
    // says at once would find nobody.
    io.ns("/", (async || ()).with(name_events));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}

async fn name_events(socket: SocketRef) -> Result<(), Infallible> {
    socket.on("subscribe", async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
        socket.join(room);
        ack.send(&NOTHING).ok();
    });
    socket.on("publish", async |socket: SocketRef, Data::<(String, Value)>((room, msg))| {
        socket.within(room.clone()).emit("data", &(room, msg)).await.ok();
    });
    socket.on("broadcast", async |socket: SocketRef, Data::<Value>(msg)| {
        socket.broadcast().emit("broadcast", &msg).await.ok();
    });
    Ok(())
}
