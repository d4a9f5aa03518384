import { StatusError } from '../../store/objects.ts'
import { type Message, type MessageField, messageNamed, messageOfKind } from './messages.ts'
import { fieldsIn } from './wire.ts'

type Fields = Record<string, unknown>

/** How a serialised object of Kubernetes begins. */
const magic = Buffer.from('k8s\0')

/** Reads an object as Go's typed clients send it; throws 400 for what is none and 415 for kinds that we cannot read. */
export function fromProtobuf(bytes: Buffer): Readonly<Record<string, unknown>> {
  if (!bytes.subarray(0, 4).equals(magic)) throw badRequest('it does not begin as an object of Kubernetes does')
  try {
    return envelope(bytes.subarray(4))
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) throw badRequest(error.message)
    throw error
  }
}

function badRequest(reason: string): StatusError {
  return new StatusError(400, 'BadRequest', `the body is no protobuf: ${reason}`)
}

/** `runtime.Unknown`: the type, and the object within. */
function envelope(bytes: Buffer): Readonly<Record<string, unknown>> {
  const parts = new Map([...fieldsIn(bytes)].map(({ number, value }) => [number, asBuffer(value)]))
  const type = new Map(
    [...fieldsIn(parts.get(1) ?? Buffer.alloc(0))].map(({ number, value }) => [number, asBuffer(value).toString()])
  )
  const [apiVersion = '', kind = ''] = [type.get(1), type.get(2)]
  const message = messageNamed(messageOfKind(apiVersion, kind) ?? '')
  if (!message)
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - ${kind} of ${apiVersion} is accepted as application/json, application/yaml`
    )
  return { kind, apiVersion, ...decode(parts.get(2) ?? Buffer.alloc(0), message) }
}

function asBuffer(value: bigint | Buffer): Buffer {
  if (Buffer.isBuffer(value)) return value
  throw new RangeError('a number stands where bytes should')
}

function decode(bytes: Buffer, message: Message): Fields {
  const object: Fields = {}
  for (const { number, value } of fieldsIn(bytes)) {
    const field = message.get(number)
    if (field) put(object, field, value)
  }
  return object
}

function put(object: Fields, field: MessageField, value: bigint | Buffer): void {
  if (field.is === 'map') {
    const [key, entry] = entryOf(asBuffer(value), field.type)
    object[field.json] = { ...(object[field.json] as Fields | undefined), [key]: entry }
    return
  }
  const read = valueOf(value, field.type)
  if (field.is === 'list') object[field.json] = [...((object[field.json] as unknown[] | undefined) ?? []), read]
  else if (field.inline) Object.assign(object, read)
  else if (counts(read, field)) object[field.json] = read
}

function counts(value: unknown, { zero }: MessageField): boolean {
  if (value === undefined) return false
  return zero || (value !== '' && value !== 0 && value !== false)
}

function entryOf(bytes: Buffer, type: string): readonly [string, unknown] {
  let [key, entry]: [string, unknown] = ['', type === 'string' || type === 'bytes' ? '' : undefined]
  for (const { number, value } of fieldsIn(bytes)) {
    if (number === 1) key = asBuffer(value).toString()
    else entry = valueOf(value, type)
  }
  return [key, entry]
}

type Scalar = (value: bigint | Buffer) => unknown

const scalars: Readonly<Record<string, Scalar>> = {
  string: value => asBuffer(value).toString(),
  bytes: value => asBuffer(value).toString('base64'),
  bool: value => value === 1n,
  int: value => Number(BigInt.asIntN(64, value as bigint)),
  double: value => asBuffer(value).readDoubleLE(),
  text: value => firstOf(value)?.toString(),
  json: value => {
    const raw = firstOf(value)
    return raw === undefined || raw.length === 0 ? undefined : (JSON.parse(raw.toString()) as unknown)
  },
  intstr: intOrString,
  time: value => timeOf(value, 0),
  microtime: value => timeOf(value, 6)
}

function valueOf(value: bigint | Buffer, type: string): unknown {
  const scalar = scalars[type]
  if (scalar) return scalar(value)
  const message = messageNamed(type)
  if (!message) throw new RangeError(`there is no message ${type}`)
  const decoded = decode(asBuffer(value), message)
  // A list that stands for itself in JSON.
  return type.endsWith('ExtraValue') ? (decoded.items ?? []) : decoded
}

/** The only field of a message that wraps something. */
function firstOf(value: bigint | Buffer): Buffer | undefined {
  const [first] = fieldsIn(asBuffer(value))
  return first && asBuffer(first.value)
}

function intOrString(value: bigint | Buffer): number | string {
  const fields = new Map([...fieldsIn(asBuffer(value))].map(each => [each.number, each.value]))
  if (fields.get(1) === 1n) return asBuffer(fields.get(3) ?? Buffer.alloc(0)).toString()
  return Number(BigInt.asIntN(64, (fields.get(2) as bigint | undefined) ?? 0n))
}

/** RFC 3339, with as many digits of the second; no time at all is undefined. */
function timeOf(value: bigint | Buffer, digits: number): string | undefined {
  const fields = new Map([...fieldsIn(asBuffer(value))].map(each => [each.number, each.value as bigint]))
  if (fields.size === 0) return undefined
  const seconds = Number(BigInt.asIntN(64, fields.get(1) ?? 0n))
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19)
  const fraction = String(fields.get(2) ?? 0n).padStart(9, '0')
  return digits === 0 ? `${whole}Z` : `${whole}.${fraction.slice(0, digits)}Z`
}
