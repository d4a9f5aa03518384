import { KubernetesCluster } from '../k4s/cluster.ts'

/** Where a demo tells what happens. */
export type Print = (line: string) => void

/** Something to watch that ends by itself. */
export type Demo = {
  readonly name: string
  readonly title: string
  run(print: Print): Promise<void>
}

/** A cluster for a demo: two nodes, short pauses; stopped whatever happens. */
export async function withCluster(show: (cluster: KubernetesCluster) => Promise<void>): Promise<void> {
  const backoff = { firstMs: 100, longestMs: 1000 }
  const cluster = await new KubernetesCluster({ nodes: 2, backoff, root: import.meta.dirname }).start()
  try {
    await show(cluster)
  } finally {
    await cluster.stop()
  }
}

/** Asks until the answer is good enough; a demo shows what it waited for. */
export async function eventually<T>(ask: () => Promise<T>, good: (answer: T) => boolean): Promise<T> {
  for (let left = 100; ; left--) {
    const answer = await ask()
    if (good(answer) || left === 0) return answer
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** How often each text occurs, as one line. */
export function tally(texts: readonly string[]): string {
  const groups = [...Map.groupBy(texts, text => text)].toSorted(([one], [other]) => (one < other ? -1 : 1))
  return groups.map(([text, all]) => `${text} × ${all.length}`).join(', ')
}
