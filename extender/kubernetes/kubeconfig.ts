import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { reasonOf, UsageError } from '../errors.ts'
import { type Json, object, objects, text } from '../json.ts'

/** A cluster and how to show oneself there, by the names of a kubeconfig; paths of files are absolute. */
export type Access = { readonly server: string; readonly cluster: Json; readonly user: Json }

/** What a pod is given. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const ofCluster = ['certificate-authority']
const ofUser = ['client-certificate', 'client-key', 'tokenFile']

/**
 * Reads a kubeconfig (a path; without one KUBECONFIG, ~/.kube/config or the service account of the pod, as kubectl
 * does). Throws a UsageError when it is unusable.
 */
export function readAccess(path?: string, env: NodeJS.ProcessEnv = process.env, account = serviceAccount): Access {
  const files = path === undefined ? usualFiles(env) : [path]
  if (files.length > 0) return accessOf(files)
  if (existsSync(join(account, 'token'))) return inCluster(env, account)
  return { server: 'http://localhost:8080', cluster: {}, user: {} }
}

function usualFiles({ KUBECONFIG, HOME, USERPROFILE }: NodeJS.ProcessEnv): readonly string[] {
  const named = (KUBECONFIG ?? '').split(delimiter).filter(file => file !== '')
  const home = HOME ?? USERPROFILE
  if (named.length > 0 || home === undefined) return named
  const usual = join(home, '.kube', 'config')
  return existsSync(usual) ? [usual] : []
}

/** The first file that says something has the last word. */
function accessOf(files: readonly string[]): Access {
  const all = files.map(file => ({ file, json: read(file) }))
  const found = (
    list: string,
    part: string,
    name: string | undefined,
    paths: readonly string[] = []
  ): Json | undefined => {
    for (const { file, json } of all) {
      const entry = objects(json[list]).find(each => each.name === name)
      if (entry) return absolute(object(entry[part]), paths, dirname(file))
    }
    return undefined
  }
  const current = all.map(({ json }) => text(json['current-context'])).find(name => name !== undefined)
  const context = found('contexts', 'context', current) ?? {}
  const name = text(context.cluster)
  const cluster = found('clusters', 'cluster', name, ofCluster)
  if (!cluster) throw new UsageError(`the kubeconfig has no cluster for its context "${current ?? ''}"`)
  const user = found('users', 'user', text(context.user), ofUser) ?? {}
  return { server: serverOf(name ?? '', cluster), cluster, user }
}

function read(file: string): Json {
  try {
    return object(parse(readFileSync(file, 'utf8')))
  } catch (error) {
    // Below its first line, an error of YAML shows the lines around the place, tokens and all.
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    throw new UsageError(`cannot read the kubeconfig ${file}: ${reasonOf(reason)}`)
  }
}

/** Files of a kubeconfig stand beside it. */
function absolute(json: Json, paths: readonly string[], folder: string): Json {
  const files = paths.flatMap(name => {
    const file = text(json[name])
    return file === undefined ? [] : [[name, resolve(folder, file)] as const]
  })
  return { ...json, ...Object.fromEntries(files) }
}

function serverOf(name: string, cluster: Json): string {
  const server = text(cluster.server)
  if (server === undefined)
    throw new UsageError(`the kubeconfig says no server for its cluster "${name}": server is missing`)
  if (text(cluster['proxy-url'])) throw new UsageError(`proxy-url of cluster "${name}" is not supported`)
  if (!/^https?:\/\//.test(server)) throw new UsageError(`server "${server}" is not an http(s) URL`)
  return server.replace(/\/+$/, '')
}

/** As every pod may find its API server. */
function inCluster(env: NodeJS.ProcessEnv, account: string): Access {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (host === '')
    throw new UsageError('this pod has a service account, but KUBERNETES_SERVICE_HOST is not set; see --kubeconfig')
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    cluster: { 'certificate-authority': join(account, 'ca.crt') },
    user: { tokenFile: join(account, 'token') }
  }
}
