import { isIP, isIPv4, isIPv6 } from 'node:net'

const pattern =
  (expression: RegExp) =>
  (value: string): boolean =>
    expression.test(value)

/** The formats of strings that are checked; others mean nothing. */
export const formats: Readonly<Record<string, (value: string) => boolean>> = {
  'date-time': value =>
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
  date: pattern(/^\d{4}-\d\d-\d\d$/),
  duration: pattern(/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w))+$/),
  email: pattern(/^[^@\s]+@[^@\s]+$/),
  hostname: pattern(/^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$/),
  ipv4: value => isIPv4(value),
  ipv6: value => isIPv6(value),
  ip: value => isIP(value) !== 0,
  cidr: value => isIP(value.slice(0, value.indexOf('/'))) !== 0,
  uri: value => URL.canParse(value),
  uuid: pattern(/^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i),
  byte: pattern(/^[A-Za-z0-9+/]*={0,2}$/)
}
