import type { WorkerArguments } from '../kubelet/worker-api.ts'

type Task = { readonly op: string; readonly a: number; readonly b: number }

const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => {
    if (b === 0) throw new Error('division by zero')
    return a / b
  }
}

/** Answers `{ op, a, b }` with the result, or with why there is none. */
export async function worker({ queue }: WorkerArguments<object, Task>): Promise<void> {
  for await (const { value, reply, fail } of queue) {
    try {
      const operation = operations[value.op]
      if (operation === undefined)
        throw new Error(`unknown op "${value.op}": there are ${Object.keys(operations).join(', ')}`)
      reply?.(operation(value.a, value.b))
    } catch (error) {
      fail?.(error instanceof Error ? error : String(error))
    }
  }
}
