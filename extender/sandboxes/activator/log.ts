/** The part of a pino logger that the activator uses. */
export type Log = Record<'debug' | 'info' | 'warn', (fields: object, text: string) => void>
