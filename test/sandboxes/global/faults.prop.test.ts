import t from 'tap'
import { noRedis, redisServer } from '../redis-server.ts'
import { oneIsLeft } from './histories.ts'

t.test('S0.29 whatever calls meet with, one sandbox is left of each identity: the one that was promised', t =>
  oneIsLeft(t, 12, { doors: 1 })
)

t.test('S0.29 so it is with two front doors over one Redis', { skip: noRedis ?? false }, async t => {
  const { url } = await redisServer(t)
  await oneIsLeft(t, 4, { doors: 2, redis: url })
})
