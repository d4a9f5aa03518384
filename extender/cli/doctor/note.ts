import { quote } from '../lint/rule.ts'

/** Something that is wrong: what, where, what happens if it stays, and what to do. */
export type Finding = {
  readonly severity: 'error' | 'warning'
  readonly where: string
  readonly problem: string
  readonly why: string
  readonly fix: string
}

/** What a check has to say. `fact`: as it should be, worth a line. `skipped`: was not looked at, and why. */
export type Note = { readonly finding: Finding } | { readonly fact: string } | { readonly skipped: string }

export const error = (finding: Omit<Finding, 'severity'>): Note => ({ finding: { severity: 'error', ...finding } })
export const warning = (finding: Omit<Finding, 'severity'>): Note => ({ finding: { severity: 'warning', ...finding } })

/** What the cluster says, safe and short enough for a terminal, without quotes where it needs none. */
export function plain(said: string): string {
  const safe = quote(said)
  return /^"[\w ./:@,()=+*-]*"$/.test(safe) ? safe.slice(1, -1) : safe
}

/** What could not be looked at for want of rights or of an answer. */
export function unseen(where: string, problem: string): Note {
  return warning({
    ...{ where, problem: `cannot be read: ${plain(problem)}`, why: 'nothing can be said of it' },
    fix: 'run muster doctor as somebody who may read it'
  })
}
