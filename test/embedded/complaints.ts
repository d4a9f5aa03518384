/** What the API server says of fields that it refuses, as upstream words it. */

export const key =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
export const negative = 'must be greater than or equal to 0'
export const port = 'must be between 1 and 65535, inclusive'
export const invalid = (field: string, value: unknown, text: string) =>
  `${field}: Invalid value: ${JSON.stringify(value)}: ${text}`
export const choice = (field: string, value: string, ...known: string[]) =>
  `${field}: Unsupported value: "${value}": supported values: ${known.map(each => `"${each}"`).join(', ')}`
