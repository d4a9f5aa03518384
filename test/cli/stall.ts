/** Loaded in front of a `muster serve`: SIGUSR2 stops its event loop for STALL_MS, or fills its heap with STALL_MS=heap. */
import { isMainThread } from 'node:worker_threads'

const kept: unknown[] = []

function fillHeap(): never {
  for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => ({ index })))
}

function stall(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

if (isMainThread) {
  const told = process.env.STALL_MS ?? ''
  process.on('SIGUSR2', () => {
    if (told === 'heap') fillHeap()
    stall(Number(told))
  })
}
