import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A way to a server that can be cut: connections end, and no new one comes through until it is mended. */
export async function link(t: Test, { hostname, port }: URL) {
  const sockets = new Set<Socket>()
  let isCut = false
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    // Whoever it was for sees the connection close.
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
  }
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    keep(client, upstream)
    keep(upstream, client)
    if (isCut) client.destroy()
    else client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(async () => {
    cut()
    server.close()
    await once(server, 'close')
  })
  const { port: own } = server.address() as AddressInfo
  const mend = (): void => {
    isCut = false
  }
  return { host: `127.0.0.1:${own}`, cut, mend }
}
