/** Environment variables by name. */
export type Env = Readonly<Record<string, string>>

/** What a sandbox is told of itself: at its start, or once after it was adopted as a warm pod. */
export class Config {
  readonly #own: Readonly<Record<string, string | undefined>>
  #given: Env | undefined

  constructor(own: Readonly<Record<string, string | undefined>>) {
    this.#own = own
  }

  get sandbox(): string {
    return this.#value('SANDBOX_ID')
  }

  get project(): string {
    return this.#value('SANDBOX_PROJECT')
  }

  /** What was given after adoption. */
  get env(): Env {
    return this.#given ?? {}
  }

  /** False where another one was given before: whoever comes second cannot take the sandbox over. */
  give(env: Env): boolean {
    this.#given ??= env
    return isSame(this.#given, env)
  }

  #value(name: string): string {
    return this.#given?.[name] ?? this.#own[name] ?? ''
  }
}

function isSame(one: Env, other: Env): boolean {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every(name => one[name] === other[name])
}

/** The variables in a body `{"env": {…}}`; a sentence where it is none. */
export function envIn(text: string): Env | string {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return 'the body is no JSON'
  }
  const env = isRecord(body) ? body['env'] : undefined
  if (!isRecord(env)) return 'the body must be {"env": {"NAME": "value"}}'
  const wrong = Object.entries(env).find(([name, value]) => !/^[A-Za-z_]\w*$/.test(name) || typeof value !== 'string')
  if (wrong) return `env: ${JSON.stringify(wrong[0].slice(0, 80))} must be the name of a variable, and its value a text`
  return env as Env
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
