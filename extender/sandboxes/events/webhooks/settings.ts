import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { reasonOf, UsageError } from '../../../errors.ts'
import { type AddressRule, addressRule, ownNetwork } from './addresses.ts'
import type { Webhook } from './receiver.ts'
import { keyOf } from './signature.ts'

/** A webhook, and which addresses it may lead to. */
export type WebhookSetting = Webhook & { readonly rule: AddressRule }

export type WebhookOptions = {
  /** URLs; they are signed with `secrets`. */
  readonly webhooks?: readonly string[]
  /** A YAML file: `webhooks: [{url, secrets, allow}]`. */
  readonly webhooksFile?: string | undefined
  /** For webhooks that have none of their own: the newest first. */
  readonly secrets?: readonly string[]
  /** Whether webhooks may lead to private and loopback addresses. */
  readonly allowPrivate?: boolean
}

type Row = { readonly where: string; readonly url: unknown; readonly secrets: unknown; readonly allow: unknown }

/** Reads them all, and refuses what is wrong with the place where it stands. */
export async function webhookSettings(options: WebhookOptions): Promise<readonly WebhookSetting[]> {
  const { webhooks = [], webhooksFile, secrets = [], allowPrivate = false } = options
  const rows = [
    ...webhooks.map(url => ({ where: `--webhook ${url}`, url, secrets: undefined, allow: undefined })),
    ...(webhooksFile === undefined ? [] : await rowsOf(webhooksFile))
  ]
  const settings = rows.map(row => settingOf(row, secrets, allowPrivate))
  const twice = settings.find(({ url }, index) => settings.findIndex(each => each.url === url) !== index)
  if (twice) throw new UsageError(`the webhook ${twice.url} is given twice`)
  return settings
}

async function rowsOf(file: string): Promise<readonly Row[]> {
  const { webhooks, ...others } = objectOf(await parsed(file), file)
  refuseOthers(others, file)
  if (!Array.isArray(webhooks)) throw new UsageError(`${file}: webhooks must be a list`)
  return webhooks.map((each: unknown, index) => {
    const where = `${file}: webhooks[${index}]`
    const { url, secrets, allow, ...rest } = objectOf(each, where)
    refuseOthers(rest, where)
    return { where, url, secrets, allow }
  })
}

async function parsed(file: string): Promise<unknown> {
  try {
    return parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`--webhooks: ${file} cannot be read: ${reasonOf(error)}`)
  }
}

function settingOf({ where, url, secrets, allow }: Row, common: readonly string[], own: boolean): WebhookSetting {
  const given = textsOf(secrets, `${where}.secrets`) ?? common
  if (given.length === 0)
    throw new UsageError(`${where}: has no secret; give it one in the file, or all in MUSTER_SANDBOX_WEBHOOK_SECRETS`)
  const ranges = [...(own ? ownNetwork : []), ...(textsOf(allow, `${where}.allow`) ?? [])]
  return {
    url: urlOf(url, where),
    keys: given.map(secret => keyOf(secret, where)),
    rule: addressRule(ranges, `${where}.allow`)
  }
}

function urlOf(value: unknown, where: string): string {
  const url = typeof value === 'string' ? URL.parse(value) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new UsageError(`${where}: its url must be one such as https://example.com/hook`)
  if (url.username !== '' || url.password !== '') throw new UsageError(`${where}: its url must have no password in it`)
  url.hash = ''
  return url.href
}

function objectOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${where}: must be a mapping`)
  return value as Readonly<Record<string, unknown>>
}

function refuseOthers(others: Readonly<Record<string, unknown>>, where: string): void {
  const [name] = Object.keys(others)
  if (name !== undefined) throw new UsageError(`${where}: ${name} is not known`)
}

function textsOf(value: unknown, where: string): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.some(each => typeof each !== 'string'))
    throw new UsageError(`${where}: must be a list of texts`)
  return value as string[]
}
