import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { terminations, tourAt } from '../../sandbox-services.ts'
import { openGround } from './ground.ts'
import { deploy, playInCluster, run } from './kubernetes.ts'
import type { Wish } from './wish.ts'

type Say = (line: string) => void

/** An event comes at once; one that has not come then does not come. */
const eventMs = 15_000

/** Builds, starts what is needed, lets the client play, ends what was started. */
export async function show(wish: Wish, say: Say): Promise<void> {
  if (wish.kubernetes) {
    if (!wish.clientOnly) await deploy(wish)
    return playInCluster(wish)
  }
  if (wish.build) await run('make', '--silent', 'programs')
  if (wish.clientOnly) {
    await play(wish, { url: `http://127.0.0.1:${wish.globalPort}` }, say)
    return
  }
  const ground = await openGround(wish, say)
  try {
    if (ground.eventsUrl === undefined) await play(wish, ground, say)
    else await playWithEvents(wish, { ...ground, eventsUrl: ground.eventsUrl }, say)
  } finally {
    await ground.close()
  }
  say('Everything has ended.')
}

type Place = Pick<Parameters<typeof tourAt>[0], 'url' | 'lookup'>

async function play(wish: Wish, { url, lookup }: Place, say: Say): Promise<string> {
  const { retain, release, verbose, sandboxTtlMs: ttlMs } = wish
  const options = { url, lookup, projectId: 'demo', idempotencyKey: randomUUID(), retain, release, ttlMs }
  const { uid } = await tourAt({ ...options, say, detail: line => void (verbose && say(line)) })
  return uid
}

/** Events are told as they come; a release is over once its event is there. */
async function playWithEvents(wish: Wish, place: Place & { readonly eventsUrl: string }, say: Say): Promise<void> {
  const over = new AbortController()
  const ended = new Map<string, () => void>()
  const watching = watch(place.eventsUrl, over.signal, ({ uid, line }) => {
    say(`  event ${line}`)
    ended.get(uid)?.()
    ended.set(uid, () => {})
  })
  try {
    const uid = await play(wish, place, say)
    if (wish.release && !ended.has(uid)) {
      const heard = new Promise<void>(resolve => ended.set(uid, resolve))
      await Promise.race([heard, watching, late(over.signal)])
    }
  } finally {
    over.abort()
    await watching
  }
}

async function watch(
  url: string,
  signal: AbortSignal,
  tell: (told: { readonly uid: string; readonly line: string }) => void
): Promise<void> {
  try {
    for await (const told of terminations(url, signal)) tell(told)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function late(signal: AbortSignal): Promise<never> {
  await sleep(eventMs, undefined, { signal })
  throw new Error(`no event tells of the release, for ${eventMs / 1000} s`)
}
