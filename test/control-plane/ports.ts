import { createServer, type Server } from 'node:net'

/** Below the range from which systems take the ports of outgoing connections. */
const lowest = 20_000
const blockSize = 64
const blocks = 180

interface Block {
  readonly guard: Server
  readonly base: number
  next: number
}

let block: Promise<Block> | undefined

/**
 * A free port of 127.0.0.1 that no other process of ours will be given.
 *
 * Each process owns a block of ports for as long as it listens on the block's first one, so that test files that run
 * at the same time cannot hand out the same port between probing and using it.
 */
export async function freePort(): Promise<number> {
  block ??= reserveBlock()
  const mine = await block
  while (mine.next < mine.base + blockSize) {
    const port = mine.next++
    const server = await tryListen(port)
    if (server === undefined) continue
    await new Promise(resolve => server.close(resolve))
    return port
  }
  mine.guard.close()
  block = undefined
  return await freePort()
}

async function reserveBlock(): Promise<Block> {
  const first = Math.floor(Math.random() * blocks)
  for (let index = 0; index < blocks; index++) {
    const base = lowest + ((first + index) % blocks) * blockSize
    const guard = await tryListen(base)
    if (guard === undefined) continue
    guard.unref()
    return { guard, base, next: base + 1 }
  }
  throw new Error(`no free block of ports between ${lowest} and ${lowest + blocks * blockSize}`)
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server))
  })
}
