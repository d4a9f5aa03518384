import { reasonOf } from '../../errors.ts'
import { certificates } from './certificates.ts'
import { configuration } from './configuration.ts'
import { gates } from './gates.ts'
import type { Ground } from './ground.ts'
import { lease } from './lease.ts'
import type { Check } from './check.ts'
import { type Finding, type Note, plain, warning } from './note.ts'
import { rights } from './rights.ts'
import { server } from './server.ts'
import { version } from './version.ts'
import { waiting } from './waiting.ts'

/** Everything that is looked at, in the order in which it is told. */
export const checks: readonly Check[] = [
  ...[version, configuration, rights, server, lease],
  ...[gates, certificates, waiting]
]

export type Diagnosis = {
  readonly cluster: string
  readonly errors: number
  readonly warnings: number
  readonly findings: readonly (Finding & { readonly check: string })[]
  /** What is as it should be. */
  readonly facts: readonly { readonly check: string; readonly fact: string }[]
  /** What was not looked at. */
  readonly skipped: readonly { readonly check: string; readonly why: string }[]
}

/** Looks at it all, one after the other; a check that fails is told, and keeps none of the others from looking. */
export async function examine(ground: Ground): Promise<Diagnosis> {
  const notes: { readonly check: string; readonly note: Note }[] = []
  for (const { name: check, look } of checks)
    for (const note of await look(ground).catch(failed)) notes.push({ check, note })
  const findings = notes.flatMap(({ check, note }) => ('finding' in note ? [{ check, ...note.finding }] : []))
  const errors = findings.filter(({ severity }) => severity === 'error').length
  return {
    ...{ cluster: ground.operations.url, errors, warnings: findings.length - errors, findings },
    facts: notes.flatMap(({ check, note }) => ('fact' in note ? [{ check, fact: note.fact }] : [])),
    skipped: notes.flatMap(({ check, note }) => ('skipped' in note ? [{ check, why: note.skipped }] : []))
  }
}

function failed(cause: unknown): readonly Note[] {
  const why = 'nothing can be said of what it looks at'
  const fix = 'mend what it names; where it names a fault of muster doctor itself, please report it'
  return [warning({ where: 'this check', problem: plain(reasonOf(cause)), why, fix })]
}
