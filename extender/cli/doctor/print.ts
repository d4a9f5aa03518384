import type { Diagnosis } from './examine.ts'

const mostShown = 100

/** For people: what is wrong first, then what was not looked at and what is as it should be. */
export function print({ cluster, errors, warnings, findings, facts, skipped }: Diagnosis): string {
  const shown = findings
    .slice(0, mostShown)
    .map(
      ({ check, severity, where, problem, why, fix }) =>
        `${severity}: ${where}: ${problem}: ${why} (${check})\n    fix: ${fix}`
    )
  const more = findings.length > mostShown ? [`${findings.length - mostShown} more are not shown.`] : []
  return `${[
    ...shown,
    ...more,
    ...skipped.map(({ check, why }) => `skipped: ${why} (${check})`),
    ...facts.map(({ check, fact }) => `ok: ${fact} (${check})`),
    `${cluster}: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}`
  ].join('\n')}\n`
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
