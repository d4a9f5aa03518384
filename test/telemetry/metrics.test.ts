import { setTimeout as wait } from 'node:timers/promises'
import { Registry } from 'prom-client'
import t from 'tap'
import { processMetrics } from '../../extender/telemetry/metrics.ts'

t.test('the process tells its version, its delays, and nothing that is misnamed', async t => {
  const registry = new Registry()
  processMetrics(registry, '1.2.3')
  await wait(30)
  const text = await registry.metrics()
  t.match(text, /^muster_build_info\{version="1\.2\.3"\} 1$/m)
  const [, delay] = /^muster_event_loop_delay_seconds (\S+)$/m.exec(text) ?? []
  t.ok(Number(delay) >= 0 && Number(delay) < 60, `${delay} s`)
  t.match(text, /^process_resident_memory_bytes \d+$/m)
  const gauges = [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name!)
  t.strictSame(
    gauges.filter(name => name.endsWith('_total')),
    []
  )
})
