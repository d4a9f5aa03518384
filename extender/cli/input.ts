import { createReadStream } from 'node:fs'
import { UsageError } from '../errors.ts'

/** More is not read, and how that is said. */
export type Largest = { readonly bytes: number; readonly text: string }

/** The text of a file, - for standard input; throws UsageError where it is none, or too large. */
export async function readText(file: string, { bytes, text }: Largest): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  // No more than tells that it is too much: the file may be a device without end.
  for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
    const part = chunk as Uint8Array
    chunks.push(part)
    length += part.length
    if (length > bytes) throw new UsageError(`it is larger than ${text}`)
  }
  return textOf(Buffer.concat(chunks))
}

function textOf(bytes: Uint8Array): string {
  if (bytes.includes(0)) throw new UsageError('it is binary, not YAML')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UsageError('it is not UTF-8, so not YAML')
  }
}

/** Whether the answer is to be JSON; throws UsageError where another form is asked for. */
export function wantsJson(output: string | undefined): boolean {
  if (output !== undefined && output !== 'json') throw new UsageError(`--output: ${output} must be json`)
  return output === 'json'
}

/** Flags that were parsed, as arguments again. */
export function argumentsOf(values: Readonly<Record<string, string | readonly string[] | undefined>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [value ?? []].flat().map(each => `--${name}=${each}`))
}
