import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'

type Config<O extends ParseArgsOptionsConfig> = { readonly allowPositionals: true; readonly options: O }
type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<Config<O>>>

/** The words behind an npm script. `--help` prints the usage and ends with 0, whatever cannot be meant ends with 2. */
export class CommandLine {
  readonly #name: string
  readonly #usage: string

  /** `usage` has a line end of its own. */
  constructor(name: string, usage: string) {
    this.#name = name
    this.#usage = usage
  }

  read<const O extends ParseArgsOptionsConfig>(options: O): Parsed<O> {
    if (process.argv.slice(2).includes('--help')) {
      process.stdout.write(this.#usage)
      process.exit(0)
    }
    try {
      return parseArgs({ allowPositionals: true, options })
    } catch (error) {
      return this.refuse((error as Error).message.split(/\.\s/)[0] ?? '')
    }
  }

  /** An amount of at least one, or `usual` where nothing is said. */
  count(option: string, text: string | undefined, usual: number): number {
    const value = text === undefined ? usual : Number(text)
    if (Number.isSafeInteger(value) && value > 0) return value
    return this.refuse(`--${option}: ${JSON.stringify(text)} must be a whole number of at least 1`)
  }

  refuse(why: string): never {
    process.stderr.write(`${this.#name}: ${why}; see --help\n`)
    process.exit(2)
  }
}
