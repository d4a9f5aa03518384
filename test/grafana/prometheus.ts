import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

export type Value = readonly [time: number, text: string]
export type Series = {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: readonly Value[]
  readonly value?: Value
}
export type Rule = { readonly name: string; readonly health: string; readonly lastError?: string }

/** Whether there is a value at all. */
export const has = (series: readonly Series[]): boolean =>
  series.some(({ values = [], value }) => [...values, ...(value ? [value] : [])].some(([, text]) => text !== 'NaN'))

/** As Grafana would, with everything chosen. */
export const chosen = (expression: string): string =>
  expression.replaceAll('$job', '.*').replaceAll('$instance', '.*').replaceAll('$__rate_interval', '15s')

type Answer<Data> = { readonly status: string; readonly data: Data; readonly error?: string }

type Given = {
  /** Job → where it is scraped. */
  readonly targets: Readonly<Record<string, string>>
  readonly rules: string
}

/** A Prometheus of the test's own, until it ends: it scrapes those addresses every second and computes these rules. */
export async function prometheus(t: Test, given: Given) {
  const folder = join(t.testdir(), 'prometheus')
  mkdirSync(folder)
  const file = join(folder, 'prometheus.yml')
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [given.rules],
    scrape_configs: Object.entries(given.targets).map(([job, target]) => ({
      job_name: job,
      static_configs: [{ targets: [target] }]
    }))
  }
  writeFileSync(file, JSON.stringify(config))
  const child = spawn(
    'prometheus',
    [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`, '--web.listen-address=127.0.0.1:0'],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const url = await listening(createInterface({ input: child.stderr }))
  const ask = async <Data>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Data> => {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(query).toString()}`)
    const body = (await answer.json()) as Answer<Data>
    if (body.status !== 'success') throw new Error(`${JSON.stringify(query)}: ${body.error}`)
    return body.data
  }
  return {
    query: async (query: string) => (await ask<{ readonly result: readonly Series[] }>('query', { query })).result,
    queryRange: async (query: string, from: number, to: number) => {
      const range = { query, start: String(from), end: String(to), step: '1' }
      return (await ask<{ readonly result: readonly Series[] }>('query_range', range)).result
    },
    labelValues: (label: string, match: string) =>
      ask<readonly string[]>(`label/${label}/values`, { 'match[]': match }),
    rules: async () => {
      const { groups } = await ask<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }>('rules')
      return groups.flatMap(group => group.rules)
    }
  }
}

/** Where it listens, as its log says; the log is read to its end, so that it never waits for us. */
async function listening(lines: ReturnType<typeof createInterface>): Promise<string> {
  const tail: string[] = []
  return new Promise((resolve, reject) => {
    lines.on('line', line => {
      tail.push(line)
      const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? []
      if (address !== undefined) resolve(`http://${address}`)
    })
    lines.once('close', () => reject(new Error(`prometheus ended:\n${tail.slice(-10).join('\n')}`)))
  })
}
