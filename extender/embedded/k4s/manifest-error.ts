/** A manifest that cannot be applied, and where it says so: `file:line:column: message`. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
  readonly file: string
  readonly line: number
  readonly column: number

  constructor(message: string, place: { readonly file: string; readonly line: number; readonly column: number }) {
    super(`${place.file}:${place.line}:${place.column}: ${message}`)
    this.file = place.file
    this.line = place.line
    this.column = place.column
  }
}
