import t from 'tap'
import { outcomeOf, scenarios } from './crashes.ts'
import { crashPoints } from './traps.ts'

for (const scenario of scenarios) {
  t.test(`${scenario.name}: muster may end at any of its writes`, async t => {
    const { writes, broken } = await outcomeOf(scenario)
    t.strictSame(broken, [], 'without a crash')
    t.ok(writes >= 6, `${writes} writes`)
    for (let write = 0; write < writes; write += 1) {
      for (const point of crashPoints) {
        const end = await outcomeOf(scenario, { write, point })
        t.strictSame([end.crashes, end.broken], [1, []], `write ${write + 1} of ${writes}, ${point}`)
      }
    }
  })
}
