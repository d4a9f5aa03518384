import * as fc from 'fast-check'
import t from 'tap'
import { Chaos, events, harmless, type Event } from './chaos.ts'

async function story(seed: number, happenings: readonly Event[]): Promise<Chaos> {
  const chaos = new Chaos(seed)
  for (const event of happenings) await chaos.happen(event)
  await chaos.heal()
  return chaos
}

const runs = {
  numRuns: Number(process.env.RUNS ?? 200),
  seed: Number(process.env.SEED ?? 20_260_102),
  endOnFailure: false
}

t.test('whatever happens, room is not promised twice, and in the end every gang runs whole or waits whole', async t => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), events(), async (seed, happenings) => {
      const wrong = (await story(seed, happenings)).verdict()
      if (wrong.length > 0) throw new Error(wrong.slice(0, 3).join('\n'))
    }),
    runs
  )
  t.pass()
})

t.test('without accidents from outside no gang is partly bound in the end', async t => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), events(harmless), async (seed, happenings) => {
      const chaos = await story(seed, happenings)
      const wrong = [...chaos.verdict(), ...chaos.partial()]
      if (wrong.length > 0) throw new Error(wrong.slice(0, 3).join('\n'))
    }),
    runs
  )
  t.pass()
})
