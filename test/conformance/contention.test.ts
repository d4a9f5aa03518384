import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Lab } from '../control-plane/lab.ts'
import { gangObjects, isNominated } from '../control-plane/objects.ts'
import { Dice } from '../control-plane/random.ts'
import { boundIn, gangWaits, nothingIsHeld, openLab, scenario, tally } from './scenario.ts'

const dice = new Dice()
const interleavings = 20
const lab = await openLab(t)

if (lab) {
  t.comment(`TEST_SEED=${dice.seed} repeats these orders`)

  scenario(t, lab, [`two gangs that do not fit together: one runs, ${interleavings} interleavings`], async (t, ns) => {
    await lab.createNodes('node', 16)
    for (let round = 0; round < interleavings; round++) await duel(t, lab, ns, round)
  })

  for (const gated of [true, false]) {
    const kind = gated ? 'gated' : 'ungated'

    scenario(t, lab, [`four ${kind} gangs of 5 race for 12 one-slot nodes: exactly two run`], async (t, ns) => {
      await lab.createNodes('node', 12)
      const names = ['a', 'b', 'c', 'd']
      await race(lab, ns, names, gated)
      await lab.waitFor('two gangs are bound whole', () => tally(lab, ns, names, 5).whole.length === 2)
      await sleep(10_000)
      const { whole, partial } = tally(lab, ns, names, 5)
      t.equal(whole.length, 2, 'two gangs run')
      t.strictSame(partial, [], 'no gang is bound in part')
      await othersHoldNothing(
        t,
        lab,
        ns,
        names.filter(name => !whole.includes(name))
      )
    })

    scenario(t, lab, [`100 ${kind} gangs of 5 on 300 slots: 60 run`], async (t, ns) => {
      await lab.createNodes('node', 300)
      const names = Array.from({ length: 100 }, (_, index) => `gang-${index}`)
      await race(lab, ns, names, gated)
      await lab.waitFor('60 gangs are bound whole', () => tally(lab, ns, names, 5).whole.length === 60, 90_000)
      await nothingIsHeld(lab)
      const { whole, partial } = tally(lab, ns, names, 5)
      t.equal(whole.length, 60, 'every slot is used by a whole gang')
      t.strictSame(partial, [], 'no gang is bound in part')
    })
  }
}

/** Creates the members of all gangs in one random order. */
async function race(lab: Lab, namespace: string, names: readonly string[], gated: boolean): Promise<void> {
  const pods = dice.shuffle(names.flatMap(name => gangObjects({ name, size: 5, gated })))
  await lab.createPods(namespace, pods, 8)
}

/** Two gangs of 10 on 16 nodes, their members created in a random order. */
async function duel(t: Test, lab: Lab, namespace: string, round: number): Promise<void> {
  const names = [`left-${round}`, `right-${round}`]
  const gated = dice.next() < 0.5
  const pods = dice.shuffle(names.flatMap(name => gangObjects({ name, size: 10, gated })))
  await lab.createPods(namespace, pods, dice.next() < 0.5 ? 1 : 16)
  const winners = () => tally(lab, namespace, names, 10).whole
  await lab.waitFor(`one gang of round ${round} is bound whole`, () => winners().length > 0)
  const [winner] = winners()
  const loser = names.find(name => name !== winner) ?? ''
  await gangWaits(lab, namespace, loser)
  await nothingIsHeld(lab)
  t.equal(boundIn(lab, namespace, winner), 10, `round ${round}: ${winner} runs (${gated ? 'gated' : 'ungated'})`)
  t.strictSame(lab.history.everBound(`${namespace}/${loser}`), [], `round ${round}: ${loser} never had a node`)
  // The loser goes first, or it would take the room of the winner.
  for (const name of [loser, winner ?? '']) await deleteGang(lab, namespace, name)
}

async function deleteGang(lab: Lab, namespace: string, gang: string): Promise<void> {
  await Promise.all(lab.podsIn(namespace, gang).map(pod => lab.deletePod(namespace, pod.metadata.name)))
  await lab.waitFor(`${gang} is deleted`, () => lab.podsIn(namespace, gang).length === 0)
}

/** The other gangs have no bound, nominated or held pod. */
async function othersHoldNothing(t: Test, lab: Lab, namespace: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const pods = lab.podsIn(namespace, name)
    t.equal(pods.filter(pod => pod.spec.nodeName).length, 0, `${name} has no bound pod`)
    t.equal(pods.filter(isNominated).length, 0, `${name} has no nominated pod`)
    t.strictSame(lab.history.everBound(`${namespace}/${name}`), [], `${name} never had a bound pod`)
  }
  t.equal(await lab.holds(), 0, 'no room is held')
}
