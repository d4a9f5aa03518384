/** One spec and what came of it. */
export interface Outcome {
  readonly name: string
  /** Ginkgo's word: passed, failed, timedout, … */
  readonly state: string
  readonly seconds: number
}

/** What kube-scheduler and muster did meanwhile. */
export interface Tally {
  /** Calls of kube-scheduler by verb. */
  readonly calls: Readonly<Record<string, number>>
  /** Calls that were not answered with 200. */
  readonly failed: number
  /** Pods that were made without a node and got one. */
  readonly bound: number
  /** Those of them that muster did not bind. */
  readonly passedBy: number
}

/** All that a report of a run says. */
export interface UpstreamRun {
  readonly date: string
  readonly release: string
  readonly flags: readonly string[]
  readonly outcomes: readonly Outcome[]
  readonly tally: Tally
}

/** The report in Markdown. */
export function report({ date, release, flags, outcomes, tally }: UpstreamRun): string {
  const passed = outcomes.filter(({ state }) => state === 'passed').length
  const seconds = outcomes.reduce((sum, { seconds }) => sum + seconds, 0)
  const calls = Object.entries(tally.calls).map(([verb, count]) => `${count} ${verb}`)
  return [
    `# Upstream conformance specs of scheduling, Kubernetes ${release}`,
    '',
    `Made by \`npm run conformance -- --upstream\` on ${date} with Node ${process.version}:`,
    `**${passed} of ${outcomes.length} passed** in ${Math.round(seconds)} s, most of which the specs wait.`,
    '',
    `etcd, kube-apiserver, kube-controller-manager and kube-scheduler of ${release}; five fake nodes (kwok). The profile`,
    '`default-scheduler` of kube-scheduler has muster in its extenders (`--scheduler-name default-scheduler` on both',
    'sides), so muster is asked about every pod and binds it.',
    '',
    '```',
    ...flags,
    '```',
    '',
    '| spec | outcome | seconds |',
    '|---|---|---|',
    ...outcomes
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map(({ name, state, seconds }) => `| ${name.replaceAll('|', '\\|')} | ${state} | ${seconds.toFixed(1)} |`),
    '',
    `Calls of kube-scheduler: ${calls.join(', ')}; ${tally.failed} of them were not answered with 200. Of ${tally.bound} pods`,
    `that waited and got a node, ${tally.bound - tally.passedBy} were bound by muster.`,
    ''
  ].join('\n')
}
