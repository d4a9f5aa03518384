import { simulate } from './simulate.ts'
const [from, to] = process.argv.slice(2).map(Number)
for (let s = from!; s < from! + 8; s++) await simulate(s)
const c0 = process.cpuUsage()
for (let s = from! + 8; s < to!; s++) await simulate(s)
const c1 = process.cpuUsage(c0)
console.log('cpu ms per seed', (c1.user + c1.system) / 1000 / (to! - from! - 8))
