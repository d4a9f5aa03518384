import t from 'tap'
import { dueOf, type PoolView } from '../../extender/sandboxes/scheduler/pool/due.ts'
import type { PoolPod } from '../../extender/sandboxes/scheduler/pool/pool-pod.ts'

const key = { way: 'warm', template: 'a' } as const
const ready = (number: number, change: Partial<PoolPod> = {}): PoolPod => ({
  ...{ name: `warm-a-${number}`, uid: `u${number}`, version: '1', ...key, isIdle: true, make: 'm', node: 'n' },
  ...{ ip: '10.0.0.1', createdAt: 0, startedAt: 0, isReady: true, isBroken: false, isLeaving: false },
  ...change
})
const of = (idle: readonly PoolPod[], change: Partial<PoolView> = {}): PoolView => ({
  ...{ key, idle, names: new Set(idle.map(({ name }) => name)), underway: new Set<string>(), size: 2 },
  ...{ make: 'm', now: 60_000, ...change }
})
const late = Number.POSITIVE_INFINITY
const nothing = { missing: [], broken: [], surplus: [], until: late }
const starting = { isReady: false }

t.test('what is due about a pool, from what is there', async t => {
  const table: Record<string, [PoolView, object]> = {
    'full: nothing': [of([ready(0), ready(1)]), { ...nothing, isFull: true }],
    'empty: the lowest numbers': [of([]), { missing: [0, 1], isFull: false }],
    'names of pods that sandboxes have are not free': [
      of([ready(2)], { names: new Set(['warm-a-0', 'warm-a-2']) }),
      { missing: [1] }
    ],
    'what is being made counts': [of([ready(0)], { underway: new Set(['warm-a-1']) }), { missing: [] }],
    'what starts counts, and is not full': [of([ready(0), ready(1, starting)]), { ...nothing, isFull: false }],
    'what leaves does not count': [of([ready(0), ready(1, { isLeaving: true })]), { missing: [2], broken: [] }],
    'what is broken is taken out and made anew': [
      of([ready(0), ready(1, { isBroken: true })]),
      { missing: [2], broken: [{ name: 'warm-a-1' }] }
    ],
    'too many: what is not ready goes first': [
      of([ready(0, starting), ready(1), ready(2)]),
      { surplus: [{ name: 'warm-a-0' }] }
    ],
    'else the last by name': [of([ready(0), ready(1), ready(2)]), { surplus: [{ name: 'warm-a-2' }] }],
    'one that was just made is let stand for a while': [
      of([ready(0), ready(1), ready(2, { createdAt: 50_000 })]),
      { surplus: [], until: 80_000 }
    ],
    'of another make: made anew, and taken out': [
      of([ready(0), ready(1, { make: 'old' })]),
      { missing: [2], surplus: [{ name: 'warm-a-1' }] }
    ],
    'no pool any more: all go': [
      of([ready(0), ready(1)], { size: 0, make: '' }),
      { missing: [], surplus: [{ name: 'warm-a-0' }, { name: 'warm-a-1' }] }
    ]
  }
  for (const [name, [view, want]] of Object.entries(table)) t.match(dueOf(view), want, name)
})
